import { DatabaseCache } from 'cachewright';
import { runScript } from '../../support/child';
import { describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';
import { type WatchedKysely, watchedKysely } from '../../support/watched-kysely';

describeEachDatabase('Counters in a database', (database) => {
  let watched: WatchedKysely;
  let table: string;
  let cache: DatabaseCache;
  beforeAll(async () => {
    watched = watchedKysely(database);
    table = await database.createTable();
    cache = new DatabaseCache(table, { options: { ...UNHURRIED, database: watched.kysely } });
  });
  afterAll(async () => {
    await cache.close();
    await watched.kysely.destroy();
  });

  test('two processes that count to 10 000 arrive at 20 000 (API-23)', async () => {
    await cache.set('counter', 0, null);
    const script = `
      const cache = new cachewright.DatabaseCache(${JSON.stringify(table)}, {
        timeout: null,
        options: { database: ${JSON.stringify(database.url)}, writeTimeoutMs: 20000 },
      });
      (async () => {
        const count = async () => { for (let i = 0; i < 2500; i += 1) await cache.incr('counter'); };
        await Promise.all([count(), count(), count(), count()]);
        await cache.close();
      })();`;
    await Promise.all([runScript(script), runScript(script)]);
    expect(await cache.get('counter')).toBe(20_000);
  });

  test('fractions are atomic as well, by comparing before they are stored (API-20)', async () => {
    const other = new DatabaseCache(table, { options: { ...UNHURRIED, database: database.url } });
    await cache.set('half', 0.5);
    const calls = Array.from({ length: 20 }, (_, i) => [cache, other][i % 2]!.incr('half', 0.25));
    const sums = await Promise.all(calls);
    expect(await cache.get('half')).toBe(5.5);
    expect(new Set(sums).size).toBe(20);
    await other.close();
  });

  test.each([
    [41, 1, 42],
    [0, -5, -5],
    [-7, 10, 3],
    [-1, 1, 0],
    [Number.MAX_SAFE_INTEGER - 1, 1, Number.MAX_SAFE_INTEGER],
    [Number.MIN_SAFE_INTEGER + 1, -1, Number.MIN_SAFE_INTEGER],
    [1, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER],
  ])('%d and %d are %d, by one statement', async (start, delta, sum) => {
    await cache.set('key', start);
    watched.statements.length = 0;
    expect(await cache.incr('key', delta)).toBe(sum);
    expect(watched.statements).toEqual([expect.stringMatching(/^update/)]);
    expect(await cache.get('key')).toBe(sum);
  });

  test('a sum that is no safe integer is a number all the same', async () => {
    await cache.set('key', Number.MAX_SAFE_INTEGER);
    expect(await cache.incr('key', 1)).toBe(2 ** 53);
    expect(await cache.get('key')).toBe(2 ** 53);
    await cache.set('large', 2 ** 70);
    expect(await cache.incr('large', 2 ** 60)).toBe(2 ** 70 + 2 ** 60);
  });

  test.each([
    ['digits', '41'],
    ['bytes of digits', Buffer.from('41')],
    ['much text', '9'.repeat(100_000)],
    ['null', null],
  ])('%s are not counted on (API-18, API-19)', async (_name, value) => {
    await cache.set('key', value);
    await expect(cache.incr('key')).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE', key: 'key' });
    expect(await cache.get('key')).toEqual(value);
  });

  test('incr() gives the default timeout, and one of 0 ends the entry (API-22)', async () => {
    const now = Date.now();
    const spy = jest.spyOn(Date, 'now').mockReturnValue(now);
    await cache.set('key', 1, null);
    await cache.incr('key');
    spy.mockReturnValue(now + 301_000);
    expect(await cache.get('key')).toBeUndefined();
    spy.mockRestore();
    const off = new DatabaseCache(table, {
      timeout: 0,
      options: { ...UNHURRIED, database: watched.kysely },
    });
    await cache.set('key', 1, null);
    expect(await off.incr('key')).toBe(2);
    expect(await cache.get('key')).toBeUndefined();
  });

  test('a serializer of the site’s own sees every number', async () => {
    const seen: unknown[] = [];
    const serializer = {
      dump: (value: unknown) => {
        seen.push(value);
        return Buffer.from(JSON.stringify(value));
      },
      load: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()),
    };
    const own = new DatabaseCache(table, {
      options: { ...UNHURRIED, database: watched.kysely, serializer },
    });
    await own.set('own', 41);
    expect(await own.incr('own')).toBe(42);
    expect(seen).toEqual([41, 42]);
  });
});
