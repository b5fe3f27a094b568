import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CacheSettings, configureCaches, createCaches } from 'cachewright';
import { run } from '../../src/cli/run';
import { describeWithServer, type RedisServer, startRedis } from '../support/servers';
import { askRedis } from '../support/servers/redis-client';
import { tempDirectories } from '../support/temp-directory';
import { createTableAt } from '../support/test-databases';
import { UNHURRIED } from '../support/unhurried';

const makeDirectory = tempDirectories();
afterEach(() => configureCaches({ default: {} }));

/** What the command prints, and its exit code. */
async function command(
  args: readonly string[],
  settings: Record<string, CacheSettings>,
  hasTerminal = false,
) {
  const directory = makeDirectory();
  const printed = { out: '', err: '', terminal: '' };
  const into = (stream: keyof typeof printed) => (text: string) => {
    printed[stream] += text;
  };
  writeFileSync(
    join(directory, 'cachewright.config.cjs'),
    `exports.caches = ${JSON.stringify({ default: {}, ...settings })}`,
  );
  const exitCode = await run({
    args: ['clear', ...args],
    directory,
    out: into('out'),
    err: into('err'),
    terminal: hasTerminal ? into('terminal') : undefined,
  });
  return { exitCode, ...printed };
}

/** Stores so many entries in a cache with these settings. @returns how many of them are there */
async function filled(settings: CacheSettings, count: number): Promise<() => Promise<number>> {
  const keys = Array.from({ length: count }, (_, i) => `key:${i}`);
  const open = async <T>(work: (cache: ReturnType<typeof createCaches>['default']) => T) => {
    const own = createCaches({ default: settings });
    const result = await work(own.default);
    await own.closeAll();
    return result;
  };
  await open((cache) => cache.setMany(Object.fromEntries(keys.map((key) => [key, 1]))));
  return async () => Object.keys(await open((cache) => cache.getMany(keys))).length;
}

describeWithServer('redis', 'clear on Redis', () => {
  const KEYS = 100_000;
  let server: RedisServer;
  let pages: CacheSettings;
  beforeAll(async () => {
    server = await startRedis();
    pages = { backend: 'redis', location: server.url, keyPrefix: 'shop', options: UNHURRIED };
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    await askRedis(server, 'FLUSHALL');
    const fill = `for i = 1, ${KEYS} do redis.call('set', 'shop:1:' .. i, 'x') end`;
    await askRedis(server, 'EVAL', fill, '0');
    await askRedis(server, 'SET', 'others', 'x');
  });

  const CLEARED = 'Cache "pages": cleared, 100,000 entries removed.\n';

  test('a hundred thousand keys go, with a line on the terminal that tells how many', async () => {
    const { terminal, ...rest } = await command(['pages'], { pages }, true);
    expect(rest).toEqual({ exitCode: 0, out: CLEARED, err: '' });
    expect(await askRedis(server, 'DBSIZE')).toBe(1);
    const lines = terminal.split('\r\x1b[K');
    // The line is gone in the end.
    expect([lines[0], lines.at(-1)]).toEqual(['', '']);
    const shown = lines.slice(1, -1);
    expect(shown.length).toBeGreaterThan(0);
    for (const line of shown) expect(line).toMatch(/^Cache "pages": [\d,]+ entries removed …$/);
    const counts = shown.map((line) => Number(/[\d,]+/.exec(line)![0].replaceAll(',', '')));
    expect(counts).toEqual([...new Set(counts)].sort((a, b) => a - b));
  });

  test('without a terminal only the last line is printed', async () => {
    expect(await command(['pages'], { pages })).toEqual({
      exitCode: 0,
      out: CLEARED,
      err: '',
      terminal: '',
    });
  });

  test('a local tier over it is cleared with it', async () => {
    const near: CacheSettings = { backend: 'tiered', location: 'pages' };
    const { exitCode, out } = await command(['near'], { pages, near });
    expect([exitCode, out]).toEqual([
      0,
      expect.stringMatching(/^Cache "near": cleared, 100,00\d /),
    ]);
    expect(await askRedis(server, 'EXISTS', 'shop:1:1')).toBe(0);
  });

  test('the whole database is emptied at once, where the cache is set so', async () => {
    const options = { ...UNHURRIED, clears: 'database' };
    const all = { ...pages, options } as CacheSettings;
    expect((await command(['pages'], { pages: all })).out).toBe('Cache "pages": cleared.\n');
    expect(await askRedis(server, 'DBSIZE')).toBe(0);
  });

  test('a cache that fails is told of, and the others are cleared', async () => {
    const away: CacheSettings = { backend: 'redis', location: 'redis://me:secret@127.0.0.1:1' };
    const { exitCode, out, err } = await command(['away', 'pages'], { away, pages }, true);
    expect([exitCode, out]).toEqual([1, CLEARED]);
    expect(err).toMatch(/^Cache "away" could not be cleared.*\n.*Redis at 127\.0\.0\.1:1 /);
    expect(err).not.toMatch(/secret|\n {4}at /);
  });
});

test('a table is emptied in steps, the counters of tags included', async () => {
  const database = `sqlite:${join(makeDirectory(), 'cache.db')}`;
  await createTableAt(database, 'cache');
  const table: CacheSettings = {
    backend: 'database',
    location: 'cache',
    options: { ...UNHURRIED, database, maxEntries: 1e6 },
  };
  const left = await filled(table, 3500);
  const { exitCode, out, terminal } = await command(['table'], { table }, true);
  expect([exitCode, out]).toEqual([0, 'Cache "table": cleared, 3,500 entries removed.\n']);
  expect(terminal).toContain('Cache "table": 1,000 entries removed …');
  expect(await left()).toBe(0);
});

test('a directory is emptied', async () => {
  const options = { maxEntries: 1e6 };
  const files: CacheSettings = { backend: 'file', location: makeDirectory(), options };
  const left = await filled(files, 30);
  const { exitCode, out } = await command(['files', 'files'], { files });
  expect([exitCode, out]).toEqual([0, 'Cache "files": cleared, 30 entries removed.\n']);
  expect(await left()).toBe(0);
});

test.each<[string, string[], RegExp]>([
  ['no alias', [], /missing required argument 'aliases'/],
  ['an unknown one', ['files', 'page'], /"page" is not configured.*"files"/],
  ['local memory', ['files', 'default'], /"default" is local memory.*with clear\(\)/],
  ['a dummy', ['off'], /"off" is a dummy/],
  ['an unknown option', ['files', '--yes'], /unknown option '--yes'/],
])('%s is a usage error, and nothing is cleared', async (_what, args, message) => {
  const files: CacheSettings = { backend: 'file', location: makeDirectory() };
  const left = await filled(files, 1);
  const { exitCode, out, err } = await command(args, { files, off: { backend: 'dummy' } });
  expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
  expect(err).toMatch(message);
  expect(err).not.toMatch(/\n {4}at /);
  expect(await left()).toBe(1);
});
