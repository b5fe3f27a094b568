import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

const SRC = join(__dirname, '../src');

/** What each room may import besides itself. */
const ARROWS: Record<string, readonly string[]> = {
  arguments: [],
  'errors.ts': [],
  'memo.ts': [],
  cache: ['arguments', 'memo.ts', 'errors.ts'],
  backends: ['arguments', 'cache', 'errors.ts'],
  'check-cache-settings.ts': ['arguments', 'backends', 'cache'],
  'caches.ts': ['arguments', 'check-cache-settings.ts', 'backends', 'cache', 'errors.ts'],
  http: ['memo.ts'],
  headers: ['arguments', 'http', 'memo.ts'],
  cli: ['arguments', 'caches.ts', 'backends', 'cache', 'errors.ts'],
  fragments: ['arguments', 'caches.ts', 'cache', 'errors.ts'],
  'page-cache': ['arguments', 'caches.ts', 'cache', 'headers', 'http', 'errors.ts'],
};

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && name !== 'index.ts',
);

/** The files of ours that a file imports, types included. */
const imports = new Map(
  files.map((name) => {
    const text = readFileSync(join(SRC, name), 'utf8');
    const paths = [...text.matchAll(/(?:from|import) '(\.[^']+)'/g)].map(([, path]) => path!);
    return [name, paths.map((path) => `${normalize(join(dirname(name), path))}.ts`)] as const;
  }),
);

const roomOf = (name: string): string => name.split('/')[0]!;

test('every file is in a room that has its arrows', () => {
  expect([...new Set(files.map(roomOf))].sort()).toEqual(Object.keys(ARROWS).sort());
});

test('imports go along the arrows alone', () => {
  const wrong: string[] = [];
  for (const [name, imported] of imports) {
    for (const other of imported) {
      const isAllowed =
        roomOf(other) === roomOf(name) || ARROWS[roomOf(name)]!.includes(roomOf(other));
      if (!isAllowed) wrong.push(`${name} → ${other}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('no two files import each other, at any distance', () => {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    if (path.includes(name)) cycles.push([...path.slice(path.indexOf(name)), name].join(' → '));
    if (path.includes(name) || done.has(name)) return;
    for (const other of imports.get(name) ?? []) visit(other, [...path, name]);
    done.add(name);
  };
  for (const name of files) visit(name, []);
  expect(cycles).toEqual([]);
});

test.each([
  ['vary', 'http/vary.ts'],
  ['cache-control-parser', 'http/cache-control.ts'],
  ['structured-headers', 'http/structured-field.ts'],
  ['msgpackr', 'cache/serializers.ts'],
  ['commander', 'cli/run.ts'],
  ['hashring', 'backends/memcached/ring.ts'],
])('%s stands behind %s alone', (dependency, only) => {
  const users = files.filter((name) =>
    new RegExp(`^import [^;]*'${dependency}[/']`, 'm').test(readFileSync(join(SRC, name), 'utf8')),
  );
  expect(users.map((name) => relative('.', name))).toEqual([only]);
});

test.each([
  ['ioredis', ['backends/redis/client.ts']],
  ['kysely', ['backends/database/kysely-package.ts']],
  ['pg', ['backends/database/postgres.ts']],
  ['mysql2', ['backends/database/mysql.ts']],
  ['libsql', ['backends/database/sqlite.ts']],
  ['better-sqlite3', ['backends/database/sqlite.ts']],
  ['node:sqlite', ['backends/database/sqlite.ts']],
  ['ejs', []],
  ['eta', []],
  ['nunjucks', []],
  ['liquidjs', ['fragments/engines/liquidjs.ts']],
])('%s is optional: loaded when used, by %s alone', (dependency, only) => {
  const loads = new RegExp(`(^import (?!type )[^;]*|require\\()'${dependency}[/']`, 'm');
  const users = files.filter((name) => loads.test(readFileSync(join(SRC, name), 'utf8')));
  expect(users).toEqual(only);
});
