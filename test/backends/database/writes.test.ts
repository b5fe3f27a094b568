import { type CacheFailure, DatabaseCache } from 'cachewright';
import { type Kysely, sql } from 'kysely';
import { createPool } from 'mysql2';
import { CacheTable } from '../../../src/backends/database/table';
import { describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';
import { type WatchedKysely, watchedKysely } from '../../support/watched-kysely';

describeEachDatabase('Writes to a database cache', (database) => {
  const opened: DatabaseCache[] = [];
  const failures: CacheFailure[] = [];
  let watched: WatchedKysely;
  let table: string;

  beforeAll(() => {
    watched = watchedKysely(database);
  });
  afterAll(() => watched.kysely.destroy());
  beforeEach(async () => {
    table = await database.createTable();
    failures.length = 0;
  });
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
  });

  /** A cache with connections of its own, unless it is given some. */
  function open(options: object = {}): DatabaseCache {
    const onFailure = (_error: unknown, failure: CacheFailure) => failures.push(failure);
    const made = new DatabaseCache(table, {
      options: { ...UNHURRIED, database: database.url, onFailure, ...options },
    });
    opened.push(made);
    return made;
  }

  const begin = (kysely: Kysely<unknown>) => kysely.startTransaction().execute();

  test('of many who add() at once, one is told it was first (DB-05)', async () => {
    const rivals = Array.from({ length: 6 }, () => open());
    for (let round = 0; round < 5; round += 1) {
      const won = await Promise.all(rivals.map((cache, i) => cache.add(`key${round}`, i)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await rivals[0]!.get(`key${round}`)).toBe(won.indexOf(true));
    }
    expect(failures).toEqual([]);
  });

  test('of many who add() over an expired entry, one is told it was first (DB-05)', async () => {
    const rivals = Array.from({ length: 6 }, () => open());
    const now = Date.now();
    const spy = jest.spyOn(Date, 'now').mockReturnValue(now);
    await rivals[0]!.set('key', 'old', 1);
    spy.mockReturnValue(now + 2000);
    const won = await Promise.all(rivals.map((cache, i) => cache.add('key', i)));
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(await rivals[0]!.get('key')).toBe(won.indexOf(true));
    spy.mockRestore();
  });

  test('many who write the same keys at once all do (DB-10)', async () => {
    const rivals = Array.from({ length: 4 }, () => open());
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    const outcomes = await Promise.all(
      rivals.map((cache, i) => {
        const mine = i % 2 === 0 ? keys : [...keys].reverse();
        return cache.setMany(new Map(mine.map((key) => [key, i])));
      }),
    );
    expect(outcomes).toEqual([[], [], [], []]);
    const values = Object.values(await rivals[0]!.getMany(keys));
    expect(values).toHaveLength(50);
    // Each statement is all or nothing.
    expect(new Set(values).size).toBe(1);
  });

  if (database.kind !== 'sqlite') {
    test('many keys are removed in their order, as they are written', async () => {
      const cache = open({ database: watched.kysely });
      // A server that reads the whole table comes to them in this order.
      await cache.set('b', 0);
      await cache.set('a', 0);
      if (database.kind === 'postgres') await watched.query(`analyze "${table}"`);
      const site = await begin(watched.kysely);
      const sites = open({ database: site });
      await sites.set('a', 1);
      watched.statements.length = 0;
      const removed = cache.deleteMany(['b', 'a']);
      await new Promise((resolve) => setTimeout(resolve, 200));
      await sites.set('b', 1);
      await site.commit().execute();
      await removed;
      expect(watched.statements.filter((text) => text.startsWith('delete'))).toHaveLength(1);
      expect(failures).toEqual([]);
      expect(await cache.getMany(['a', 'b'])).toEqual({});
    });

    test('a write that gives up in a deadlock is done again', async () => {
      const cache = open();
      const site = await begin(watched.kysely);
      const sites = open({ database: site });
      await cache.setMany(Object.fromEntries([...'abcdefgh'].map((key) => [key, 0])));
      await sites.setMany(Object.fromEntries([...'bcdefgh'].map((key) => [key, 1])));
      const both = cache.setMany({ a: 2, b: 2 });
      await new Promise((resolve) => setTimeout(resolve, 200));
      await sites.set('a', 1);
      await site.commit().execute();
      expect(await both).toEqual([]);
      expect(await cache.getMany(['a', 'b', 'c'])).toEqual({ a: 2, b: 2, c: 1 });
      expect(failures).toEqual([]);
    });
  }

  /** Makes the database refuse entries that never expire. */
  async function refuseLasting(): Promise<void> {
    const texts = {
      postgres: [`alter table "${table}" add check (expires < '2900-01-01')`],
      mysql: [`alter table \`${table}\` add check (expires < '2900-01-01')`],
      sqlite: ['insert', 'update'].map(
        (event) => `create trigger "${table} ${event}" before ${event} on "${table}"
          when new.expires > '2900' begin select raise(abort, 'refused'); end`,
      ),
    }[database.kind];
    for (const text of texts) await watched.query(text);
  }

  test('what a live database refuses is not stored, and reported, but no error (DB-10)', async () => {
    await refuseLasting();
    const cache = open();
    await cache.set('key', 'old', 60);
    expect(await cache.set('key', 'new', null)).toBeUndefined();
    expect(await cache.add('other', 'new', null)).toBe(false);
    expect(await cache.touch('key', null)).toBe(false);
    expect(await cache.setMany({ key: 'new', other: 'new' }, null)).toEqual(['key', 'other']);
    expect(await cache.getMany(['key', 'other'])).toEqual({ key: 'old' });
    expect(failures).toEqual([
      { operation: 'set', key: 'key' },
      { operation: 'add', key: 'other' },
      { operation: 'touch', key: 'key' },
      { operation: 'setMany' },
    ]);
  });

  test('a refused write leaves a transaction of the site usable (DB-10)', async () => {
    await refuseLasting();
    await watched.kysely.transaction().execute(async (transaction) => {
      const cache = open({ database: transaction });
      await cache.set('before', 1, 60);
      // At once, as there is one connection for all of them.
      const answers = await Promise.all([
        cache.add('refused', 1, null),
        cache.add('fine', 1, 60),
        cache.add('refused', 1, null),
        cache.touch('before', null),
      ]);
      expect(answers).toEqual([false, true, false, false]);
      const { rows } = await sql`select 1 as one`.execute(transaction);
      expect(rows).toEqual([{ one: 1 }]);
      await cache.set('after', 1, 60);
      await cache.close();
    });
    const keys = ['before', 'refused', 'fine', 'after'];
    expect(await open().getMany(keys)).toEqual({ before: 1, fine: 1, after: 1 });
  });

  test('a count that fails leaves a transaction of the site usable, too (DB-10)', async () => {
    await watched.kysely.transaction().execute(async (transaction) => {
      const cache = open({ database: transaction });
      // Fails as a server would that refuses to count.
      const count = jest
        .spyOn(CacheTable.prototype, 'count')
        .mockImplementation(async () =>
          Number(await sql.raw('select 1 / nil').execute(transaction)),
        );
      await cache.set('key', 1, 60);
      count.mockRestore();
      expect(await cache.get('key')).toBe(1);
    });
    expect(failures).toEqual([{ operation: 'set', key: 'key' }]);
    expect(await open().get('key')).toBe(1);
  });

  test('what was written in a transaction that is rolled back was never there', async () => {
    const work = watched.kysely.transaction().execute(async (transaction) => {
      const cache = open({ database: transaction });
      await cache.set('key', 1, 60);
      expect(await cache.get('key')).toBe(1);
      throw new Error('not today');
    });
    await expect(work).rejects.toThrow('not today');
    expect(await open().get('key')).toBeUndefined();
  });

  if (database.kind === 'postgres') {
    test('what getOrSet() makes in a transaction is not stored over a delete that it hides', async () => {
      const other = open();
      let calls = 0;
      await watched.kysely.transaction().execute(async (transaction) => {
        const cache = open({ database: transaction });
        const make = async () => {
          calls += 1;
          // Sees no placeholder that is not committed.
          await other.delete('key');
          return 'old';
        };
        expect(await cache.getOrSet('key', make, 60)).toBe('old');
        await cache.set('there', 'already', 60);
        expect(await cache.getOrSet('there', make, 60)).toBe('already');
      });
      expect(calls).toBe(1);
      expect(await other.getMany(['key', 'there'])).toEqual({ there: 'already' });
      expect(await other.getOrSet('key', () => 'new', 60)).toBe('new');
    });
  }

  test('a read error propagates: a table that is missing is named, with what makes it (DB-10)', async () => {
    const cache = new DatabaseCache('absent table', {
      options: { ...UNHURRIED, database: database.url },
    });
    opened.push(cache);
    const error = {
      code: 'ERR_CACHE_BACKEND',
      message: expect.stringMatching(/"absent table".*npx cachewright createcachetable/s),
    };
    await expect(cache.get('key')).rejects.toMatchObject(error);
    await expect(cache.getMany(['key'])).rejects.toMatchObject(error);
    await expect(cache.hasKey('key')).rejects.toMatchObject(error);
  });

  test('a missing table is no refusal: writes fail as well', async () => {
    const cache = new DatabaseCache('absent table', {
      options: { ...UNHURRIED, database: database.url, onFailure: () => {} },
    });
    opened.push(cache);
    const error = { code: 'ERR_CACHE_BACKEND' };
    await expect(cache.set('key', 1)).rejects.toMatchObject(error);
    await expect(cache.add('key', 1)).rejects.toMatchObject(error);
    await expect(cache.touch('key')).rejects.toMatchObject(error);
    await expect(cache.incr('key')).rejects.toMatchObject(error);
    await expect(cache.delete('key')).rejects.toMatchObject(error);
    await expect(cache.clear()).rejects.toMatchObject(error);
  });

  test.each([
    ['of more than 255 characters', 'k'.repeat(253)],
    ['with a NUL', 'a\0b'],
    ['that is half a character', '\ud83e'],
  ])('an entry under a key %s is never stored, and no error (DB-17)', async (_name, key) => {
    jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const cache = open();
    expect(await cache.set(key, 1)).toBeUndefined();
    expect(await cache.add(key, 1)).toBe(false);
    expect(await cache.add(key, 1, 0)).toBe(false);
    expect(await cache.touch(key)).toBe(false);
    expect(await cache.setMany({ [key]: 1, other: 2 })).toEqual([key]);
    expect(await cache.get(key, 'fallback')).toBe('fallback');
    expect(await cache.getMany([key, 'other'])).toEqual({ other: 2 });
    expect(await cache.hasKey(key)).toBe(false);
    expect(await cache.delete(key)).toBe(false);
    await cache.deleteMany([key]);
    await expect(cache.incr(key)).rejects.toMatchObject({ code: 'ERR_CACHE_KEY_NOT_FOUND', key });
    expect(failures).toEqual([]);
    jest.restoreAllMocks();
  });

  test.each(['k'.repeat(252), '🦊'.repeat(252)])(
    'a key of 255 characters is stored, of whichever script (DB-17)',
    async (key) => {
      jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
      const cache = open();
      await cache.set(key, 1);
      expect(await cache.get(key)).toBe(1);
      jest.restoreAllMocks();
    },
  );

  if (database.kind === 'mysql') {
    test('a transaction of the site that a deadlock ended is not gone on with (DB-10)', async () => {
      const { kysely } = watched;
      await open().setMany({ a: 0, b: 0 });
      const transactions = [await begin(kysely), await begin(kysely)];
      const [first, second] = transactions.map((each) => open({ database: each }));
      await first!.set('a', 1);
      await second!.set('b', 2);
      const outcomes = await Promise.allSettled([first!.set('b', 1), second!.set('a', 2)]);
      const errors = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
      expect(errors).toEqual([expect.objectContaining({ code: 'ER_LOCK_DEADLOCK' })]);
      for (const each of transactions) await each.rollback().execute();
    });

    test('it does not matter whether connections count rows found or rows changed', async () => {
      const pool = createPool({
        uri: database.url.replace(/^mariadb:/, 'mysql:'),
        flags: ['-FOUND_ROWS'],
      });
      const cache = new DatabaseCache(table, {
        timeout: null,
        options: { ...UNHURRIED, database: pool },
      });
      await cache.setMany({ whole: 5, half: 0.5 });
      expect(await cache.incr('whole', 0)).toBe(5);
      expect(await cache.incr('half', 0)).toBe(0.5);
      await cache.close();
      await new Promise((resolve) => pool.end(resolve));
    });

    test('the server does not have to keep a statement for each number of entries', async () => {
      // Of one connection: the whole server's are those of other tests as well.
      const pool = createPool({
        uri: database.url.replace(/^mariadb:/, 'mysql:'),
        connectionLimit: 1,
      });
      const cache = open({ database: pool });
      await cache.set('key', 1);
      const kept = async () => {
        const [rows] = await pool.promise().query("show session status like 'Com_stmt_%'");
        const counts = new Map(
          (rows as { Variable_name: string; Value: string }[]).map((row) => [
            row.Variable_name,
            Number(row.Value),
          ]),
        );
        return counts.get('Com_stmt_prepare')! - counts.get('Com_stmt_close')!;
      };
      const before = await kept();
      for (let n = 20; n < 60; n += 1) {
        const keys = Array.from({ length: n }, (_, i) => `k${i}`);
        expect(await cache.setMany(new Map(keys.map((key) => [key, n])))).toEqual([]);
        expect(Object.values(await cache.getMany(keys))).toEqual(Array(n).fill(n));
      }
      expect((await kept()) - before).toBeLessThan(10);
      await cache.close();
      await new Promise((resolve) => pool.end(resolve));
    });

    test('a value that the server’s packet cannot hold is an error that says so', async () => {
      const cache = open();
      const [{ size }] = (await watched.query<{ size: number }>(
        'select @@max_allowed_packet as size',
      )) as [{ size: number }];
      await expect(cache.set('large', Buffer.alloc(size + 1024))).rejects.toMatchObject({
        code: 'ERR_CACHE_VALUE',
        message: expect.stringContaining('max_allowed_packet'),
      });
      expect(await cache.get('large')).toBeUndefined();
    });
  }
});
