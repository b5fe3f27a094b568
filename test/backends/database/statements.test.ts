import { type CacheParams, DatabaseCache } from 'cachewright';
import { stopClock } from '../../support/clock';
import { describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';
import { type WatchedKysely, watchedKysely } from '../../support/watched-kysely';

describeEachDatabase('The statements of a database cache', (database) => {
  const clock = stopClock();
  const opened: DatabaseCache[] = [];
  let watched: WatchedKysely;
  let table: string;
  let cache: DatabaseCache;

  beforeAll(() => {
    watched = watchedKysely(database);
  });
  afterAll(() => watched.kysely.destroy());
  beforeEach(async () => {
    table = await database.createTable();
    cache = open({ options: { maxEntries: 1000 } });
    // The first write counts the rows.
    await cache.set('first', 1);
    watched.statements.length = 0;
  });
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
  });

  function open(params: CacheParams = {}): DatabaseCache {
    const options = { ...UNHURRIED, ...params.options, database: watched.kysely };
    const made = new DatabaseCache(table, { ...params, options });
    opened.push(made);
    return made;
  }

  /** The first words of what was asked since. */
  function asked(): string[] {
    return watched.statements.splice(0).map((text) => text.split(' ', 2).join(' '));
  }

  async function keys(): Promise<string[]> {
    const quote = database.kind === 'mysql' ? '`' : '"';
    const rows = await watched.query<{ k: string }>(
      `select cache_key as k from ${quote}${table}${quote} order by cache_key`,
    );
    return rows.map(({ k }) => String(k));
  }

  test('each operation is one statement', async () => {
    await cache.set('a', 1);
    expect(asked()).toEqual(['insert into']);
    await cache.add('b', 1);
    expect(asked()).toEqual(['insert into']);
    await cache.get('a');
    expect(asked()).toEqual([expect.stringMatching(/^select/)]);
    await cache.touch('a', 10);
    expect(asked()).toEqual([expect.stringMatching(/^update/)]);
    await cache.incr('a');
    expect(asked()).toEqual([expect.stringMatching(/^update/)]);
    await cache.delete('a');
    expect(asked()).toEqual(['delete from']);
    await cache.deleteFrozenMany(['a', 'b'], 1000);
    expect(asked()).toEqual(['delete from']);
    await cache.setMany({ a: 1, b: 2, c: 3 });
    expect(asked()).toEqual(['insert into']);
    await cache.clear();
    expect(asked()).toEqual(['delete from']);
  });

  test('each end of an entry by a timeout of 0 is one statement (TMO-03)', async () => {
    await cache.setMany({ a: 1, b: 1, c: 1 });
    asked();
    await cache.set('a', 1, 0);
    expect(asked()).toEqual(['delete from']);
    await cache.touch('b', 0);
    expect(asked()).toEqual(['delete from']);
    await cache.setMany({ c: 2, d: 2 }, -1);
    expect(asked()).toEqual(['delete from']);
    expect(await keys()).toEqual([':1:first']);
  });

  test('getMany() is one statement, and a second one if any are expired (DB-03)', async () => {
    await cache.setMany({ a: 1, b: 2, c: 3 }, 10);
    await cache.set('lasting', 4, null);
    asked();
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual({ a: 1, b: 2, c: 3 });
    expect(asked()).toHaveLength(1);
    clock.advance(11);
    expect(await cache.getMany(['a', 'b', 'lasting'])).toEqual({ lasting: 4 });
    expect(asked()).toEqual([expect.stringMatching(/^select/), 'delete from']);
    expect(await keys()).toEqual([':1:c', ':1:first', ':1:lasting']);
  });

  test('nothing is asked for no keys (API-09)', async () => {
    expect(await cache.getMany([])).toEqual({});
    expect(await cache.setMany({})).toEqual([]);
    await cache.deleteMany([]);
    expect(asked()).toEqual([]);
  });

  test('deleteMany() of three keys is one statement (DB-04)', async () => {
    await cache.setMany({ a: 1, b: 2, c: 3, d: 4 });
    asked();
    await cache.deleteMany(['a', 'b', 'c']);
    expect(asked()).toEqual(['delete from']);
    expect(await keys()).toEqual([':1:d', ':1:first']);
  });

  test('more keys than a statement may have go in several', async () => {
    const many = Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`k${i}`, i]));
    const large = open({ options: { maxEntries: 1e6 } });
    await large.set('first', 1);
    asked();
    expect(await large.setMany(many)).toEqual([]);
    expect(asked()).toHaveLength(3);
    expect(await large.getMany(Object.keys(many))).toEqual(many);
    expect(asked()).toHaveLength(3);
    await large.deleteMany(Object.keys(many));
    expect(asked()).toHaveLength(3);
    expect(await keys()).toEqual([':1:first']);
  });

  test('large values go in several statements', async () => {
    const megabytes = Array.from({ length: 10 }, (_, i) => [`k${i}`, Buffer.alloc(2 ** 20, i)]);
    expect(await cache.setMany(Object.fromEntries(megabytes))).toEqual([]);
    expect(asked()).toHaveLength(4);
    expect(await cache.get('k9')).toEqual(Buffer.alloc(2 ** 20, 9));
  });

  test('hasKey() is one statement and deletes nothing (DB-06)', async () => {
    await cache.set('key', 1, 10);
    asked();
    expect(await cache.hasKey('key')).toBe(true);
    expect(asked()).toEqual([expect.stringMatching(/^select/)]);
    clock.advance(11);
    expect(await cache.hasKey('key')).toBe(false);
    expect(asked()).toEqual([expect.stringMatching(/^select/)]);
    expect(await keys()).toContain(':1:key');
  });

  test('delete() says whether a row went (DB-08)', async () => {
    await cache.set('key', 1);
    expect(await cache.delete('key')).toBe(true);
    expect(await cache.delete('key')).toBe(false);
  });

  test('a set() that culls counts once (DB-07)', async () => {
    const small = open({ options: { maxEntries: 3 } });
    await small.setMany({ a: 1, b: 1, c: 1, d: 1 });
    asked();
    await small.set('e', 1);
    const counts = watched.statements.filter((text) => /count\(\*\)/.test(text));
    expect(counts).toHaveLength(1);
    expect(asked().length).toBeGreaterThan(3);
  });

  test('rows are counted when the table may be full, not at each write (DB-07)', async () => {
    const roomy = open({ options: { maxEntries: 11 } });
    for (let i = 0; i < 11; i += 1) await roomy.set(`k${i}`, 1);
    const counts = watched.statements.filter((text) => /count\(\*\)/.test(text));
    // The one row there was before, and ten of these, make eleven.
    expect(counts).toHaveLength(1);
    watched.statements.length = 0;
    await roomy.set('k0', 2);
    expect(watched.statements.filter((text) => /count\(\*\)/.test(text))).toHaveLength(1);
  });

  test('of a full table the lowest keys go, below the one at the offset (DB-13, CULL-05)', async () => {
    await cache.clear();
    const small = open({ options: { maxEntries: 6, cullFrequency: 3 } });
    for (const key of ['g', 'c', 'a', 'f', 'b', 'e', 'd']) await small.set(key, 1);
    expect(await keys()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((key) => `:1:${key}`));
    await small.set('0', 1);
    // Seven by three are two: what is lower than `c`. The new one comes after that.
    expect(await keys()).toEqual(['0', 'c', 'd', 'e', 'f', 'g'].map((key) => `:1:${key}`));
  });

  test('an entry that expired goes when it is read, and no other does (DB-09)', async () => {
    await cache.setMany({ a: 1, b: 1 }, 1);
    clock.advance(2);
    await cache.set('new', 1);
    expect(await keys()).toEqual([':1:a', ':1:b', ':1:first', ':1:new']);
    expect(await cache.get('a')).toBeUndefined();
    expect(await keys()).toEqual([':1:b', ':1:first', ':1:new']);
  });

  test.each<[string, (small: DatabaseCache) => Promise<unknown>]>([
    ['add', (small) => small.add('new', 1)],
    ['set', (small) => small.set('new', 1)],
    ['touch', (small) => small.touch('first', 10)],
  ])(
    '%s() above the limit removes what is expired, and culls only if that was not enough (DB-09, CULL-06)',
    async (_name, write) => {
      await cache.setMany({ x: 1, y: 1, z: 1 }, 1);
      clock.advance(2);
      const small = open({ options: { maxEntries: 3 } });
      await write(small);
      expect((await keys()).filter((key) => key !== ':1:new')).toEqual([':1:first']);
    },
  );

  test('an entry stored anew is not removed as the expired one it replaces (DB-03)', async () => {
    await cache.set('key', 'old', 1);
    clock.advance(2);
    const found = cache.get('key');
    const replaced = cache.set('key', 'new');
    await Promise.all([found, replaced]);
    expect(await cache.get('key')).toBe('new');
  });
});
