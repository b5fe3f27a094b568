import { type CacheFailure, DatabaseCache } from 'cachewright';
import { Pool } from 'pg';
import { eventually } from '../../support/eventually';
import {
  describeWithServer,
  type Server,
  startMariaDb,
  startPostgres,
} from '../../support/servers';
import { createTableAt } from '../../support/test-databases';

type DatabaseServer = Server & { readonly url: string };

describeWithServer('postgres', 'PostgreSQL that fails', () => describeOutages(startPostgres));
describeWithServer('mariadb', 'MariaDB that fails', () => describeOutages(startMariaDb));

function describeOutages(start: () => Promise<DatabaseServer>): void {
  let server: DatabaseServer;
  let cache: DatabaseCache;
  let patient: DatabaseCache;
  const failures: CacheFailure[] = [];

  beforeAll(async () => {
    server = await start();
    await createTableAt(server.url, 'cache');
    const options = { database: server.url, readTimeoutMs: 1000, writeTimeoutMs: 1000 };
    cache = new DatabaseCache('cache', { options });
    const onFailure = (_error: unknown, failure: CacheFailure) => failures.push(failure);
    patient = new DatabaseCache('cache', { options: { ...options, onError: 'miss', onFailure } });
  });
  afterAll(async () => {
    await cache.close();
    await patient.close();
    await server.stop();
  });

  /** Asks until the database is there again. The server is asked twice a second. */
  async function recovered(of: DatabaseCache): Promise<void> {
    await eventually(async () => {
      const probe = String(Math.random());
      await of.set('probe', probe);
      // One that takes failures for misses says nothing of them.
      expect(await of.get('probe')).toBe(probe);
    });
  }

  const errorsOf = async (calls: number) =>
    Promise.all(
      Array.from({ length: calls }, () =>
        cache.get('key').then(
          () => 'an answer',
          (error: { code: string; reason: string }) => `${error.code} ${error.reason}`,
        ),
      ),
    );

  test('frozen: operations fail by their deadline, then at once; thawed, they go on', async () => {
    await recovered(cache);
    await eventually(() => cache.set('key', 'value', null));
    server.freeze();
    try {
      expect(await errorsOf(5)).toEqual(Array(5).fill('ERR_CACHE_UNAVAILABLE timeout'));
      expect(await errorsOf(50)).toEqual(Array(50).fill('ERR_CACHE_UNAVAILABLE open'));
    } finally {
      server.thaw();
    }
    await recovered(cache);
    expect(await eventually(() => cache.get('key'))).toBe('value');
  });

  test('frozen for longer than there are connections, it finds free ones once thawed', async () => {
    await recovered(cache);
    server.freeze();
    try {
      // Each of these holds a connection, or waits for one.
      await Promise.all(Array.from({ length: 30 }, () => cache.get('key').catch(() => {})));
    } finally {
      server.thaw();
    }
    await recovered(cache);
    const reads = () => Promise.all(Array.from({ length: 30 }, () => cache.get('key')));
    expect(await eventually(reads)).toEqual(Array(30).fill('value'));
  });

  test('killed and started again, with calls under way: no error but to the callers', async () => {
    await recovered(cache);
    const calls = Array.from({ length: 20 }, () => cache.incr('absent').catch((e) => e.code));
    await server.kill();
    for (const code of await Promise.all(calls)) {
      expect(['ERR_CACHE_UNAVAILABLE', 'ERR_CACHE_KEY_NOT_FOUND']).toContain(code);
    }
    const [error] = await errorsOf(1);
    expect(error).toMatch(/^ERR_CACHE_UNAVAILABLE/);
    await server.restart();
    await recovered(cache);
    expect(await eventually(() => cache.get('key'))).toBe('value');
  });

  test('with onError "miss", callers get misses, and failures are reported', async () => {
    await recovered(patient);
    failures.length = 0;
    server.freeze();
    try {
      expect(await patient.get('key', 'fallback')).toBe('fallback');
      expect(await patient.getMany(['key'])).toEqual({});
      expect(await patient.hasKey('key')).toBe(false);
      expect(await patient.set('key', 1)).toBeUndefined();
      expect(await patient.add('key', 1)).toBe(false);
      expect(await patient.touch('key')).toBe(false);
      expect(await patient.setMany({ key: 1 })).toEqual(['key']);
      expect(await patient.delete('key')).toBe(false);
      expect(await patient.deleteMany(['key'])).toBeUndefined();
      await expect(patient.incr('key')).rejects.toMatchObject({ code: 'ERR_CACHE_KEY_NOT_FOUND' });
      await expect(patient.clear()).rejects.toMatchObject({ code: 'ERR_CACHE_UNAVAILABLE' });
    } finally {
      server.thaw();
    }
    expect(failures.map(({ operation }) => operation)).toEqual([
      ...['get', 'getMany', 'hasKey', 'set', 'add', 'touch', 'setMany', 'delete', 'deleteMany'],
      'incr',
    ]);
  });

  test('pages do not wait for it, and are told', async () => {
    await recovered(cache);
    server.freeze();
    try {
      const error = { code: 'ERR_CACHE_UNAVAILABLE', reason: 'timeout' };
      await expect(cache.getFrozen('key', 20)).rejects.toMatchObject(error);
      await expect(cache.deleteFrozen('key', 20)).rejects.toMatchObject(error);
      await expect(cache.deleteFrozenMany(['key', 'b'], 20)).rejects.toMatchObject(error);
      await expect(cache.acquireLease('key', 'token', 5, 20)).rejects.toMatchObject(error);
    } finally {
      server.thaw();
    }
    await recovered(cache);
  });
}

describeWithServer('postgres', 'A pool of the site', () => {
  test('is not used up by queries that hang: their connections are thrown away', async () => {
    const server = await startPostgres();
    await createTableAt(server.url, 'cache');
    const pool = new Pool({ connectionString: server.url, max: 2 });
    const errors: Error[] = [];
    pool.on('error', (error) => errors.push(error));
    const cache = new DatabaseCache('cache', { options: { database: pool, readTimeoutMs: 100 } });
    // Both connections are there, as one that has yet to come about is the pool's affair.
    const clients = await Promise.all([pool.connect(), pool.connect()]);
    for (const client of clients) client.release();
    await eventually(() => cache.get('key'));
    expect(pool.totalCount).toBe(2);
    const { setTimeout: realTimeout } = globalThis;
    // The patience with a connection, and none of the deadlines, is over soon: its steps are short.
    const spy = jest
      .spyOn(globalThis, 'setTimeout')
      .mockImplementation(((work: () => void, ms?: number) =>
        realTimeout(work, ms === 500 ? 20 : ms)) as typeof setTimeout);
    server.freeze();
    try {
      await Promise.all([cache.get('key').catch(() => {}), cache.get('key').catch(() => {})]);
      while (pool.totalCount > 0) await new Promise((resolve) => realTimeout(resolve, 20));
    } finally {
      server.thaw();
      spy.mockRestore();
    }
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await cache.close();
    await pool.end();
    await server.stop();
  });
});
