import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { RedisCache, type RedisOptions } from 'cachewright';
import { type RecordingProxy, recordingProxy } from '../../support/recording-proxy';
import { redisCalls, resetCalls } from '../../support/redis-calls';
import { describeWithServer, type RedisServer, startRedis } from '../../support/servers';
import { askRedis } from '../../support/servers/redis-client';
import { UNHURRIED } from '../../support/unhurried';

describeWithServer('redis', 'what RedisCache asks of a server', () => {
  let server: RedisServer;
  let proxy: RecordingProxy;
  const opened: RedisCache[] = [];

  beforeAll(async () => {
    server = await startRedis();
    proxy = await recordingProxy(server);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((cache) => cache.close()));
    await askRedis(server, 'FLUSHALL');
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  function open(options: RedisOptions = {}, location: string = server.url): RedisCache {
    const cache = new RedisCache(location, { options: { ...UNHURRIED, ...options } });
    opened.push(cache);
    return cache;
  }

  /** An entry expires in so many seconds, less those that the test has taken. */
  async function expectLeft(key: string, seconds: number): Promise<void> {
    const left = await askRedis(server, 'TTL', `:1:${key}`);
    expect(left).toBeGreaterThan(seconds - 40);
    expect(left).toBeLessThanOrEqual(seconds);
  }

  /** What `work` takes, by a cache that is connected. */
  async function callsOf(work: (cache: RedisCache) => Promise<unknown>) {
    const cache = open({}, proxy.url);
    await cache.get('warm');
    await resetCalls(server);
    proxy.reset();
    await work(cache);
    const roundTrips = proxy.roundTrips();
    return { calls: await redisCalls(server), roundTrips };
  }

  test('pages of any number are removed by one command', async () => {
    const keys = Array.from({ length: 2000 }, (_, i) => `page-${i}`);
    const page = { byteLength: 1, toBytes: () => Buffer.from('x') };
    const { calls, roundTrips } = await callsOf(async (cache) => {
      await cache.setFrozen('page-1999', page, 60, 1000);
      await cache.deleteFrozenMany(keys, 1000);
    });
    expect(calls).toEqual({ set: 1, unlink: 1 });
    expect(roundTrips).toBe(2);
    expect(await open().getFrozen('page-1999', 1000)).toBeUndefined();
  });

  test('of many who add at once exactly one is told yes; the others look once what is there (REDIS-05)', async () => {
    const caches = Array.from({ length: 10 }, () => open());
    await Promise.all(caches.map((cache) => cache.get('warm')));
    await resetCalls(server);
    const answers = await Promise.all(
      caches.flatMap((cache) => [cache.add('key', 1), cache.add('key', 2)]),
    );
    expect(answers.filter(Boolean)).toHaveLength(1);
    expect(await redisCalls(server)).toEqual({ set: 20, getrange: 19 });
  });

  test('integers are stored raw, so that Redis counts on them; all else is encoded (REDIS-08)', async () => {
    const cache = open();
    await cache.setMany({ number: 123, text: '123', yes: true, big: 2 ** 60, half: 0.5 });
    expect(await askRedis(server, 'GET', ':1:number')).toBe('123');
    expect(await askRedis(server, 'INCRBY', ':1:number', 2)).toBe(125);
    expect(await cache.get('number')).toBe(125);
    for (const key of ['text', 'yes', 'big', 'half']) {
      await expect(askRedis(server, 'INCRBY', `:1:${key}`, 1)).rejects.toThrow('not an integer');
    }
    expect(await cache.getMany(['text', 'yes', 'big', 'half'])).toEqual({
      text: '123',
      yes: true,
      big: 2 ** 60,
      half: 0.5,
    });
  });

  test.each([
    [10, 10],
    [10.9, 10],
    [1, 1],
    [0.9, undefined],
    [0, undefined],
    [-5, undefined],
    [null, -1],
    [1e300, 1e12],
  ])('a timeout of %p becomes whole seconds: %p (REDIS-09)', async (timeout, seconds) => {
    const cache = open({}, proxy.url);
    await cache.set('key', 'old');
    proxy.reset();
    await cache.set('key', 'value', timeout);
    // As it is sent: what is left of it is less when it is asked for.
    const [, sent] = /\r\nex\r\n\$\d+\r\n(\d+)\r\n/i.exec(proxy.sent()) ?? [];
    const left = Number(await askRedis(server, 'TTL', ':1:key'));
    if (left === -2) expect([sent, seconds]).toEqual([undefined, undefined]);
    else if (left === -1) expect([sent, seconds]).toEqual([undefined, -1]);
    else expect(Number(sent)).toBe(seconds);
  });

  test('set() for no time deletes, and add() answers whether there is room (REDIS-10)', async () => {
    const cache = open();
    await cache.set('key', 'old');
    await cache.set('key', 'new', 0);
    expect(await askRedis(server, 'EXISTS', ':1:key')).toBe(0);
    expect(await cache.add('key', 'new', 0)).toBe(true);
    expect(await askRedis(server, 'EXISTS', ':1:key')).toBe(0);
    await cache.set('key', 'live', 100);
    expect(await cache.add('key', 'new', 0)).toBe(false);
    expect(await cache.get('key')).toBe('live');
    await expectLeft('key', 100);
  });

  test('touch(key, null) says yes for every entry there is, with an expiry or without (REDIS-11)', async () => {
    const cache = open();
    await cache.set('brief', 1, 100);
    await cache.set('lasting', 1, null);
    const { calls, roundTrips } = await callsOf(async (cache) => {
      expect(await cache.touch('brief', null)).toBe(true);
    });
    expect(calls).toEqual({ exists: 1, persist: 1, getrange: 1 });
    expect(roundTrips).toBe(1);
    expect(await askRedis(server, 'TTL', ':1:brief')).toBe(-1);
    expect(await cache.touch('lasting', null)).toBe(true);
    expect(await cache.touch('missing', null)).toBe(false);
  });

  test('touch(key, 0) says whether there was an entry, and deletes it (REDIS-12)', async () => {
    const cache = open();
    await cache.set('key', 1, null);
    expect(await cache.touch('key', 0)).toBe(true);
    expect(await askRedis(server, 'EXISTS', ':1:key')).toBe(0);
    expect(await cache.touch('key', 0)).toBe(false);
  });

  test('setMany() is one round trip, each entry with its expiry from the start (REDIS-13)', async () => {
    const entries = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`key${i}`, i]));
    const { calls, roundTrips } = await callsOf(async (cache) => {
      expect(await cache.setMany(entries, 60)).toEqual([]);
    });
    expect(roundTrips).toBe(1);
    expect(calls).toEqual({ set: 50 });
    await expectLeft('key49', 60);

    const cache = open();
    await cache.setMany({ key49: 'x' }, null);
    expect(await askRedis(server, 'TTL', ':1:key49')).toBe(-1);
    expect(await cache.setMany(entries, 0)).toEqual([]);
    expect(await askRedis(server, 'DBSIZE')).toBe(0);
  });

  test('what is asked for one key in one turn is done in that order', async () => {
    const cache = open();
    for (let round = 0; round < 20; round += 1) {
      const outcomes = await Promise.all([
        cache.set('key', round),
        cache.get('key'),
        cache.delete('key'),
        cache.get('key'),
        cache.set('key', round),
        cache.deleteMany(['key']),
        cache.get('key'),
      ]);
      expect(outcomes).toEqual([
        undefined,
        round,
        true,
        undefined,
        undefined,
        undefined,
        undefined,
      ]);
    }
  });

  test('deleteMany() is one command (REDIS-14)', async () => {
    await open().setMany({ a: 1, b: 2, c: 3 });
    const { calls } = await callsOf((cache) => cache.deleteMany(['a', 'b', 'missing', 'a']));
    expect(calls).toEqual({ unlink: 1 });
    expect(await askRedis(server, 'KEYS', '*')).toEqual([':1:c']);
  });

  test("a serializer of the user's own sees every value, integers included (REDIS-14)", async () => {
    const seen: unknown[] = [];
    const cache = open({
      serializer: {
        dump: (value) => {
          seen.push(value);
          return Buffer.from(`<${JSON.stringify(value)}>`);
        },
        load: (bytes) => JSON.parse(String(bytes).slice(1, -1)),
      },
    });
    await cache.set('number', 5);
    await cache.setMany({ text: 'five' });
    await cache.add('yes', true);
    expect(seen).toEqual([5, 'five', true]);
    expect(await askRedis(server, 'GET', ':1:number')).toBe('<5>');
    expect(await cache.getMany(['number', 'text', 'yes'])).toEqual({
      number: 5,
      text: 'five',
      yes: true,
    });
  });

  test('a serializer may be named by its path (REDIS-07)', async () => {
    const cache = open({ serializer: './test/fixtures/hex-serializer#hexSerializer' });
    await cache.set('key', 7);
    expect(await askRedis(server, 'GET', ':1:key')).toBe('37');
    expect(await cache.get('key')).toBe(7);
  });

  test('getMany() is one MGET, hasKey() one EXISTS and a look, get() one GET, delete() one UNLINK (REDIS-15)', async () => {
    const { calls, roundTrips } = await callsOf((cache) => cache.getMany(['a', 'b', 'c']));
    expect({ calls, roundTrips }).toEqual({ calls: { mget: 1 }, roundTrips: 1 });
    expect(await callsOf((cache) => cache.hasKey('a'))).toEqual({
      calls: { exists: 1, getrange: 1 },
      roundTrips: 1,
    });
    expect((await callsOf((cache) => cache.get('a'))).calls).toEqual({ get: 1 });
    expect((await callsOf((cache) => cache.delete('a'))).calls).toEqual({ unlink: 1 });
  });

  test('no keys are no command (REDIS-15)', async () => {
    const { calls } = await callsOf(async (cache) => {
      expect(await cache.getMany([])).toEqual({});
      expect(await cache.setMany({})).toEqual([]);
      await cache.deleteMany([]);
    });
    expect(calls).toEqual({});
  });

  test('keys may be more than a function has room for (REDIS-14, REDIS-15)', async () => {
    const cache = open();
    const keys = Array.from({ length: 200_000 }, (_, i) => `key${i}`);
    await cache.set(keys[199_999]!, 1);
    expect(await cache.getMany(keys)).toEqual({ key199999: 1 });
    await cache.deleteMany(keys);
    expect(await askRedis(server, 'DBSIZE')).toBe(0);
  });

  test('commands of one tick share a round trip', async () => {
    const { calls, roundTrips } = await callsOf((cache) =>
      Promise.all(Array.from({ length: 200 }, (_, i) => cache.get(`key${i}`))),
    );
    expect({ calls, roundTrips }).toEqual({ calls: { get: 200 }, roundTrips: 1 });
  });

  test('incr() of a missing key is an error, and creates nothing (REDIS-16)', async () => {
    const cache = open();
    await expect(cache.incr('key')).rejects.toMatchObject({
      code: 'ERR_CACHE_KEY_NOT_FOUND',
      key: 'key',
    });
    expect(await askRedis(server, 'DBSIZE')).toBe(0);
  });

  test("incr() of what is no integer is refused with the server's error (REDIS-16)", async () => {
    const cache = open();
    for (const value of ['text', 1.5, true, null]) {
      await cache.set('key', value);
      await expect(cache.incr('key')).rejects.toMatchObject({
        code: 'ERR_CACHE_VALUE',
        key: 'key',
        message: expect.stringContaining('not an integer'),
        cause: expect.objectContaining({ name: 'ReplyError' }),
      });
      expect(await cache.get('key')).toEqual(value);
    }
  });

  test('incr() is one script, which is sent once alone; it keeps the expiry', async () => {
    const cache = open({}, proxy.url);
    await cache.set('key', 1, 100);
    await askRedis(server, 'SCRIPT', 'FLUSH');
    await cache.incr('key');
    proxy.reset();
    expect(await cache.incr('key', 5)).toBe(7);
    expect(proxy.roundTrips()).toBe(1);
    expect(proxy.sent()).toContain('evalsha');
    expect(proxy.sent()).not.toContain('redis.call');
    await expectLeft('key', 100);
  });

  test('a sum that no Number can hold is refused, and the entry left as it was', async () => {
    const cache = open();
    await cache.set('key', Number.MAX_SAFE_INTEGER - 1, 100);
    expect(await cache.incr('key')).toBe(Number.MAX_SAFE_INTEGER);
    await expect(cache.incr('key')).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE' });
    await cache.set('low', Number.MIN_SAFE_INTEGER);
    await expect(cache.decr('low')).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE' });
    expect(await cache.get('key')).toBe(Number.MAX_SAFE_INTEGER);
    expect(await cache.get('low')).toBe(Number.MIN_SAFE_INTEGER);
    await expectLeft('key', 100);
  });

  test('two processes that count to ten thousand each arrive at twenty thousand (API-23)', async () => {
    const cache = open();
    await cache.set('count', 0, null);
    const processes = [1, 2].map(() =>
      fork(join(__dirname, '../../support/redis-counter-child.ts'), [server.url, '10000'], {
        execArgv: ['--import', 'tsx'],
      }),
    );
    const codes = await Promise.all(processes.map((child) => once(child, 'exit')));
    expect(codes.map(([code]) => code)).toEqual([0, 0]);
    expect(await cache.get('count')).toBe(20_000);
  });
});
