import { setTimeout as delay } from 'node:timers/promises';
import {
  CacheLockedError,
  type CacheParams,
  RedisCache,
  type RedisLocation,
  type RedisOptions,
} from 'cachewright';
import { advanceRedis } from '../../support/redis-clock';
import {
  describeWithServer,
  type RedisServer,
  startRedis,
  startRedisCluster,
} from '../../support/servers';
import { askRedis } from '../../support/servers/redis-client';
import { UNHURRIED } from '../../support/unhurried';

const DEADLINE = UNHURRIED.readTimeoutMs;

const reversed = (key: string) => [...key].reverse().join('');

describeWithServer('redis', 'what RedisCache can do more than others', () => {
  describe.each<
    [
      string,
      () => Promise<[RedisLocation, RedisOptions, readonly RedisServer[], () => Promise<void>]>,
    ]
  >([
    [
      'one server',
      async () => {
        const server = await startRedis();
        return [server.url, {}, [server], () => server.stop()];
      },
    ],
    [
      'a cluster',
      async () => {
        const { urls, nodes, stop } = await startRedisCluster();
        return [urls, { cluster: true }, nodes, stop];
      },
    ],
  ])('on %s', (_name, start) => {
    let location: RedisLocation;
    let options: RedisOptions;
    let masters: readonly RedisServer[];
    let stop: () => Promise<void>;
    const opened: RedisCache[] = [];

    beforeAll(async () => {
      [location, options, masters, stop] = await start();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((cache) => cache.close()));
      for (const master of masters) await askRedis(master, 'FLUSHALL');
    });
    afterAll(() => stop());

    function open(params: CacheParams = {}): RedisCache {
      const cache = new RedisCache(location, {
        ...params,
        options: { ...UNHURRIED, ...options, ...params.options },
      });
      opened.push(cache);
      return cache;
    }

    /** Stores a key as another program would. */
    async function storeForeign(key: string): Promise<void> {
      const [stored] = await Promise.allSettled(
        masters.map((master) => askRedis(master, 'SET', key, 'theirs')),
      );
      if (masters.length === 1 && stored?.status === 'rejected') throw stored.reason;
    }

    async function allKeys(): Promise<string[]> {
      const found = await Promise.all(masters.map((master) => askRedis(master, 'KEYS', '*')));
      return (found.flat() as string[]).sort();
    }

    async function keysOf(cache: RedisCache, ...args: Parameters<RedisCache['keys']>) {
      const keys: string[] = [];
      for await (const key of cache.keys(...args)) keys.push(key);
      return keys.sort();
    }

    test("clear() leaves others' keys, unless it is to flush the database (REDIS-17)", async () => {
      const cache = open({ keyPrefix: 'shop' });
      const other = open({ keyPrefix: 'shop*' });
      await cache.setMany(Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`k${i}`, i])));
      await cache.set('k', 1, null, { version: 'two' });
      await other.set('theirs', 1);
      await storeForeign('session:1');
      const foreign = (await allKeys()).filter((key) => !key.startsWith('shop:'));
      await cache.clear();
      expect(await allKeys()).toEqual(foreign);
      expect(foreign).toContain('shop*:1:theirs');
      expect(foreign).toContain('session:1');
      // What is special in a pattern is not in a prefix.
      await cache.set('k', 1);
      await other.clear();
      expect(await cache.get('k')).toBe(1);
      await open({ keyPrefix: 'shop', options: { clears: 'database' } }).clear();
      expect(await allKeys()).toEqual([]);
    });

    test('clear() without a prefix leaves keys that are of no cache (REDIS-17)', async () => {
      const cache = open();
      await cache.setMany({ a: 1, 'b:c': 2 });
      await storeForeign('session:1');
      await cache.clear();
      expect(await allKeys()).toEqual(['session:1']);
    });

    test('clear() refuses to guess where the key function hides what is whose', async () => {
      const cache = open({ keyFunction: (key) => reversed(key) });
      await cache.set('key', 1);
      await expect(cache.clear()).rejects.toThrow(/options\.clears/);
      expect(await cache.get('key')).toBe(1);
      const unprefixed = open({ keyFunction: (key, _prefix, version) => `${version}:${key}` });
      await expect(unprefixed.clear()).rejects.toThrow(/options\.clears/);
      expect(await cache.get('key')).toBe(1);
    });

    test('keys() finds the keys of one version, by a pattern', async () => {
      const cache = open({ keyPrefix: 'p[1]?' });
      await cache.setMany({ 'user:1': 1, 'user:2': 2, 'user:1*': 3, other: 4 });
      await cache.set('user:3', 1, null, { version: 2 });
      await open({ keyPrefix: 'p1x' }).set('user:9', 9);
      expect(await keysOf(cache)).toEqual(['other', 'user:1', 'user:1*', 'user:2']);
      expect(await keysOf(cache, 'user:?')).toEqual(['user:1', 'user:2']);
      expect(await keysOf(cache, 'user:1\\*')).toEqual(['user:1*']);
      expect(await keysOf(cache, 'user:[2-9]', { version: 2 })).toEqual(['user:3']);
      expect(await keysOf(cache, 'absent*')).toEqual([]);
    });

    test('keys() takes key functions that keep the key, and refuses others', async () => {
      const around = open({ keyFunction: (key, prefix, version) => `${prefix}<${key}>${version}` });
      await around.set('user:1', 1);
      expect(await keysOf(around, 'user:*')).toEqual(['user:1']);
      const hidden = open({ keyFunction: reversed });
      await expect(keysOf(hidden)).rejects.toThrow(TypeError);
      await expect(hidden.deletePattern('*')).rejects.toThrow(TypeError);
    });

    test('deletePattern() removes what matches, and counts it', async () => {
      const cache = open();
      await cache.setMany({ 'user:1': 1, 'user:2': 2, users: 3 });
      await cache.set('user:3', 1, null, { version: 2 });
      expect(await cache.deletePattern('user:*')).toBe(2);
      expect(await keysOf(cache)).toEqual(['users']);
      expect(await cache.deletePattern('user:*', { version: 2 })).toBe(1);
      expect(await cache.deletePattern('user:*')).toBe(0);
    });

    test('ttl() is the seconds left, null without expiry, undefined without entry', async () => {
      const cache = open();
      await cache.set('brief', 1, 100);
      await cache.set('lasting', 1, null);
      expect(await cache.ttl('brief')).toBeGreaterThan(60);
      expect(await cache.ttl('brief')).toBeLessThanOrEqual(100);
      expect(await cache.ttl('lasting')).toBeNull();
      expect(await cache.ttl('absent')).toBeUndefined();
    });

    test('persist() takes the expiry away', async () => {
      const cache = open();
      await cache.set('key', 1, 100);
      expect(await cache.persist('key')).toBe(true);
      expect(await cache.ttl('key')).toBeNull();
      expect(await cache.persist('key')).toBe(true);
      expect(await cache.persist('absent')).toBe(false);
    });

    describe('lock()', () => {
      test('is held by one at a time', async () => {
        const [one, two] = [open(), open()].map((cache) => cache.lock('job', { waitMs: 0 }));
        expect(await one!.acquire()).toBe(true);
        expect(await two!.acquire()).toBe(false);
        expect(two!.token).toBeUndefined();
        expect(await two!.release()).toBe(false);
        expect(await one!.release()).toBe(true);
        expect(await two!.acquire()).toBe(true);
        expect(await two!.release()).toBe(true);
      });

      test('ends by itself, and its former holder cannot end that of the next', async () => {
        const cache = open();
        const late = cache.lock('job', { seconds: 10, waitMs: 0 });
        const next = cache.lock('job', { seconds: 10, waitMs: 0 });
        await late.acquire();
        await advanceRedis(masters, 11);
        expect(await next.acquire()).toBe(true);
        expect(await late.extend()).toBe(false);
        expect(await late.release()).toBe(false);
        expect(await cache.lock('job', { waitMs: 0 }).acquire()).toBe(false);
        expect(await next.release()).toBe(true);
      });

      test('can be made to last longer, by its holder alone', async () => {
        const cache = open();
        const lock = cache.lock('job', { seconds: 10 });
        expect(await lock.extend()).toBe(false);
        await lock.acquire();
        expect(await lock.extend(100)).toBe(true);
        await advanceRedis(masters, 50);
        expect(await cache.lock('job', { waitMs: 0 }).acquire()).toBe(false);
        expect(await lock.extend()).toBe(true);
        await advanceRedis(masters, 11);
        expect(await cache.lock('job', { waitMs: 0 }).acquire()).toBe(true);
      });

      test('is waited for', async () => {
        const cache = open();
        const lock = cache.lock('job');
        await lock.acquire();
        const order: string[] = [];
        const waiting = cache.lock('job').using(() => order.push('second'));
        await delay(30);
        order.push('first');
        await lock.release();
        await waiting;
        expect(order).toEqual(['first', 'second']);
      });

      test('using() returns what the work does, and releases it even if that fails', async () => {
        const cache = open();
        expect(await cache.lock('job').using((lock) => typeof lock.token)).toBe('string');
        const failing = cache.lock('job').using(async () => {
          throw new Error('broken');
        });
        await expect(failing).rejects.toThrow('broken');
        expect(await cache.lock('job', { waitMs: 0 }).acquire()).toBe(true);
        const runs: string[] = [];
        const refused = cache.lock('job', { waitMs: 0 }).using(() => runs.push('ran'));
        await expect(refused).rejects.toBeInstanceOf(CacheLockedError);
        await expect(refused).rejects.toMatchObject({ code: 'ERR_CACHE_LOCKED', key: 'job' });
        expect(runs).toEqual([]);
      });

      test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
        'extend(%d) is refused, and ends nothing',
        async (seconds) => {
          const cache = open();
          const lock = cache.lock('job');
          await lock.acquire();
          await expect(lock.extend(seconds)).rejects.toThrow(/"job".*Give more than 0/);
          expect(await cache.lock('job', { waitMs: 0 }).acquire()).toBe(false);
          expect(await lock.release()).toBe(true);
        },
      );

      test('using() fails with the error of the work, also if the lock cannot be released', async () => {
        const cache = open();
        const failing = cache.lock('job').using(async (lock) => {
          jest.spyOn(lock, 'release').mockRejectedValue(new Error('no server any more'));
          throw new Error('the work failed');
        });
        await expect(failing).rejects.toThrow('the work failed');
      });

      test('that is held cannot be taken again by the same object', async () => {
        const lock = open().lock('job');
        await lock.acquire();
        await expect(lock.acquire()).rejects.toThrow('held already');
      });

      test.each([{ seconds: 0 }, { seconds: Number.NaN }, { waitMs: -1 }])(
        '%p is refused',
        (wrong) => {
          expect(() => open().lock('job', wrong)).toThrow(TypeError);
        },
      );
    });

    test('leases are taken, read, extended and ended by their token alone', async () => {
      const cache = open();
      expect(await cache.acquireLease('lease', 'a', 10, DEADLINE)).toBe(true);
      expect(await cache.acquireLease('lease', 'b', 10, DEADLINE)).toBe(false);
      expect(await cache.readLease('lease', DEADLINE)).toBe('a');
      expect(await cache.extendLease('lease', 'b', 100, DEADLINE)).toBe(false);
      expect(await cache.extendLease('lease', 'b', 0, DEADLINE)).toBe(false);
      expect(await cache.extendLease('lease', 'a', 100, DEADLINE)).toBe(true);
      expect(await cache.ttl('lease')).toBeGreaterThan(10);
      expect(await cache.extendLease('lease', 'b', 100, DEADLINE, 'c')).toBe(false);
      expect(await cache.extendLease('lease', 'a', 100, DEADLINE, 'c')).toBe(true);
      expect(await cache.readLease('lease', DEADLINE)).toBe('c');
      expect(await cache.extendLease('lease', 'a', 100, DEADLINE)).toBe(false);
      expect(await cache.ttl('lease')).toBeGreaterThan(10);
      expect(await cache.extendLease('lease', 'c', 100, DEADLINE, 'a')).toBe(true);
      expect(await cache.extendLease('lease', 'a', 0, DEADLINE)).toBe(true);
      expect(await cache.readLease('lease', DEADLINE)).toBeUndefined();
      expect(await cache.acquireLease('lease', 'b', 20.25, DEADLINE)).toBe(true);
      expect(await cache.ttl('lease')).toBeLessThanOrEqual(20.25);
    });
  });
});
