import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type CacheSettings, caches, configureCaches } from 'cachewright';
import { run } from '../../src/cli/run';
import { CHILD_PATIENCE_MS } from '../support/child';
import { eventually } from '../support/eventually';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { describeWithServer, type RedisServer, startRedis } from '../support/servers';
import { askRedis } from '../support/servers/redis-client';
import { settled } from '../support/settled';
import { tempDirectories } from '../support/temp-directory';
import { createTableAt } from '../support/test-databases';
import { UNHURRIED } from '../support/unhurried';
import { visit } from '../support/visit';

const makeDirectory = tempDirectories();
const ROOT = join(__dirname, '../..');
const ORIGIN = 'http://www.example.com';

let directory: string;
beforeEach(() => {
  directory = makeDirectory();
});

/** What the command prints, and its exit code. Without a configuration: the caches of the tests. */
async function command(args: readonly string[], config = '') {
  let stdout = '';
  let stderr = '';
  writeFileSync(join(directory, 'cachewright.config.cjs'), config);
  const exitCode = await run({
    args: ['purge', ...args],
    directory,
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
  });
  return { exitCode, stdout, stderr };
}

/** Asks for a page until it comes from the cache, and tells what it is then. */
async function hit(app: Parameters<typeof visit>[0], path: string): Promise<string> {
  return eventually(async () => {
    const { text, headers } = await visit(app, path).expect(200);
    await settled();
    expect(headers.age).toBeDefined();
    return text;
  });
}

/** A site whose pages have tags, and tell how often they were made. */
function site() {
  const made = new Map<string, number>();
  const { app } = pageApp((res, _call, req) => {
    const path = req.url!;
    made.set(path, (made.get(path) ?? 0) + 1);
    res.setHeader('Cache-Tag', `of ${path}, all`);
    res.end(`${path} ${made.get(path)}`);
  });
  return app;
}

const PATHS = ['/shop/a', '/shop/b', '/shop/c', '/news/d'];

/** What is to hold wherever the pages are. `purge` runs the command, and tells what it printed. */
function describePurges(purge: (...args: string[]) => Promise<string>): void {
  test.each<[string, string[], string[], string[]]>([
    ['a tag', ['--tag', 'of /shop/a'], ['/shop/a'], ['tag "of /shop/a"']],
    ['a URL', ['--url', `${ORIGIN}/shop/b`], ['/shop/b'], [`URL "${ORIGIN}/shop/b"`]],
    ['a prefix', ['--prefix', '/shop/'], PATHS.slice(0, 3), ['prefix "/shop/"']],
    [
      'all of these',
      [
        ...['--tag', 'of /shop/a', '--tag', 'other', '--tag', 'of /shop/b'],
        ...['--url', `${ORIGIN}/shop/c`, '--prefix', '/news/'],
      ],
      PATHS,
      [
        ...['tag "of /shop/a"', 'tag "other"', 'tag "of /shop/b"'],
        ...[`URL "${ORIGIN}/shop/c"`, 'prefix "/news/"'],
      ],
    ],
  ])('%s: those pages are made anew, and no others', async (_what, args, purged, named) => {
    const app = site();
    for (const path of PATHS) expect(await hit(app, path)).toBe(`${path} 1`);
    expect(await purge(...args)).toBe(
      named.map((what) => `Cache "pages": purged the ${what}.\n`).join(''),
    );
    for (const path of PATHS) {
      const { text } = await visit(app, path);
      expect(text).toBe(`${path} ${purged.includes(path) ? 2 : 1}`);
    }
  });

  test('--soft: visitors are shown the page once more', async () => {
    const app = site();
    await hit(app, '/shop/a');
    expect(await purge('--soft', '--tag', 'all')).toBe(
      'Cache "pages": purged softly the tag "all".\n',
    );
    await visit(app, '/shop/a').expect('/shop/a 1');
    await eventually(() => visit(app, '/shop/a').expect('/shop/a 2'));
  });
}

describeWithServer('redis', 'purge on Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({ password: 'secret' });
  });
  afterAll(() => server.stop());
  afterEach(() => caches.closeAll());

  const settings = () =>
    ({
      pages: { backend: 'redis', location: server.url, options: UNHURRIED },
    }) satisfies Record<string, CacheSettings>;

  freshCaches({
    get default(): CacheSettings {
      return settings().pages;
    },
  });

  describe('from a process of its own', () => {
    describePurges(async (...args) => {
      const file = join(directory, 'site.cjs');
      writeFileSync(file, `exports.caches = ${JSON.stringify({ default: {}, ...settings() })}`);
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        [
          ...['--import', 'tsx', join(ROOT, 'src/cli/main.ts'), 'purge'],
          ...[...args, '--cache', 'pages', '--config', file],
        ],
        { cwd: ROOT, timeout: CHILD_PATIENCE_MS },
      );
      expect(stderr).toBe('');
      return stdout;
    });
  });

  test('leaves no connection behind', async () => {
    const connectionName = 'named';
    configureCaches({
      default: { ...settings().pages, options: { ...UNHURRIED, connectionName } },
    });
    const connections = async () =>
      String(await askRedis(server, 'CLIENT', 'LIST')).split(` name=${connectionName} `).length - 1;
    await caches.default.set('key', 'value');
    expect(await connections()).toBe(1);
    await caches.closeAll();
    await eventually(async () => expect(await connections()).toBe(0));
    expect((await command(['--tag', 'a'])).exitCode).toBe(0);
    await eventually(async () => expect(await connections()).toBe(0));
  });

  test('a cache that fails is told of by alias and server, and the others are purged', async () => {
    const app = site();
    await hit(app, '/shop/a');
    const away = 'redis://me:secret@127.0.0.1:1';
    const { exitCode, stdout, stderr } = await command(
      [...['--tag', 'all', '--cache', 'away', '--cache', 'here', '--cache', 'gone']],
      `exports.caches = ${JSON.stringify({
        default: {},
        away: { backend: 'redis', location: away },
        here: settings().pages,
        gone: { backend: 'memcached', location: '127.0.0.1:1' },
      })}`,
    );
    expect(exitCode).toBe(1);
    expect(stdout).toBe('Cache "here": purged the tag "all".\n');
    expect(stderr).toMatch(/Cache "away" could not be purged.*\n.*Redis at 127\.0\.0\.1:1 /);
    expect(stderr).toMatch(/Cache "gone" could not be purged.*\n.*Memcached at 127\.0\.0\.1:1/);
    expect(stderr).not.toMatch(/secret|\n {4}at /);
    configureCaches({ default: settings().pages });
    await visit(app, '/shop/a').expect('/shop/a 2');
  });
});

describe('purge on SQLite', () => {
  let url: string;
  beforeAll(async () => {
    url = `sqlite:${join(makeDirectory(), 'cache.db')}`;
    await createTableAt(url, 'cache');
  });
  freshCaches({
    get default(): CacheSettings {
      return { backend: 'database', location: 'cache', options: { ...UNHURRIED, database: url } };
    },
  });
  afterAll(() => caches.closeAll());

  describePurges(async (...args) => {
    const { exitCode, stdout, stderr } = await command(args);
    expect([exitCode, stderr]).toEqual([0, '']);
    return stdout.replaceAll('"default"', '"pages"');
  });

  test.each([
    [['--tag', 'all', '--url', '/a']],
    [['--tag', 'all', '--cache', 'default', '--cache', 'page']],
  ])('%j is refused before anything is purged', async (args) => {
    const app = site();
    await hit(app, '/shop/a');
    expect(await command(args)).toMatchObject({ exitCode: 2, stdout: '' });
    await visit(app, '/shop/a').expect('/shop/a 1');
  });
});

describe('purge that makes no sense', () => {
  const SETTINGS = `exports.caches = {
    default: { backend: 'file', location: 'cache' }, mem: {}, off: { backend: 'dummy' },
  };`;
  afterEach(() => configureCaches({ default: {} }));

  test.each<[string, string[], RegExp]>([
    ['nothing to purge', [], /--tag, --url or --prefix/],
    ['nothing but a cache', ['--cache', 'default', '--soft'], /--tag, --url or --prefix/],
    ['no tag', ['--tag'], /--tag <tag>.*missing/],
    ['an empty tag', ['--tag', ''], /A tag is ""/],
    ['a URL that is not absolute', ['--url', '/a'], /"\/a" is no absolute URL/],
    ['a prefix that is no directory', ['--prefix', '/a'], /"\/a" does not end in a slash/],
    ['an unknown option', ['--tags', 'a'], /unknown option '--tags'/],
    ['more than options', ['--tag', 'a', 'b'], /too many arguments/],
    ['an unknown cache', ['--tag', 'a', '--cache', 'page'], /"page" is not configured.*"mem"/],
    ['what can be no cache', ['--tag', 'a', '--cache', 'all'], /"all" cannot be the alias/],
    [
      'local memory',
      ['--tag', 'a', '--cache', 'mem'],
      /"mem" is local memory.*process of the site/,
    ],
    ['a dummy', ['--tag', 'a', '--cache', 'off'], /"off" is a dummy/],
    ['no configuration', ['--tag', 'a', '--config', 'none.cjs'], /no file .*none\.cjs/],
  ])('%s is a usage error', async (_what, args, message) => {
    const { exitCode, stdout, stderr } = await command(args, SETTINGS);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n {4}at /);
  });

  test('a cache with settings that make no sense fails', async () => {
    const config = 'exports.caches = { default: { timeout: "x" } };';
    const { exitCode, stderr } = await command(['--tag', 'a'], config);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/"default" has settings that make no sense.*timeout is "x"/);
    expect(stderr).not.toMatch(/\n {4}at /);
  });
});
