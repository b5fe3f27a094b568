import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type CacheFailure, RedisCache, type RedisLocation, type RedisOptions } from 'cachewright';
import { Cluster } from 'ioredis';
import { eventually } from '../../support/eventually';
import { recordingProxy } from '../../support/recording-proxy';
import {
  describeWithServer,
  type RedisCluster,
  type RedisServer,
  startRedis,
  startRedisCluster,
  startSentinel,
} from '../../support/servers';
import { askRedis } from '../../support/servers/redis-client';
import { UNHURRIED } from '../../support/unhurried';

const opened: RedisCache[] = [];
const unhandled: unknown[] = [];
const onUnhandled = (error: unknown) => unhandled.push(error);
let consoleError: jest.SpyInstance;

beforeAll(() => process.on('unhandledRejection', onUnhandled));
afterAll(() => process.off('unhandledRejection', onUnhandled));
beforeEach(() => {
  consoleError = jest.spyOn(console, 'error').mockImplementation(() => {});
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((cache) => cache.close()));
  // ioredis writes there what nobody listens to.
  expect(consoleError.mock.calls).toEqual([]);
  consoleError.mockRestore();
  expect(unhandled.splice(0)).toEqual([]);
});

function open(location: RedisLocation, options: RedisOptions = {}): RedisCache {
  const cache = new RedisCache(location, { options: { ...UNHURRIED, ...options } });
  opened.push(cache);
  return cache;
}

/** Asks until it is answered. */
async function untilAnswered(cache: RedisCache, key: string): Promise<unknown> {
  for (;;) {
    try {
      return await cache.get(key);
    } catch {
      await delay(10);
    }
  }
}

describeWithServer('redis', 'RedisCache whose server fails', () => {
  let server: RedisServer;
  beforeEach(async () => {
    server = await startRedis();
  });
  afterEach(() => server.stop());

  /** Of its clients, the oldest first. */
  async function addresses(): Promise<string[]> {
    const list = String(await askRedis(server, 'CLIENT', 'LIST', 'TYPE', 'normal'));
    return [...list.matchAll(/ addr=(\S+)/g)].map(([, address]) => address!);
  }

  test('lets errors of the connection through (REDIS-18)', async () => {
    await server.kill();
    const cache = open(server.url);
    const refused = {
      code: 'ERR_CACHE_UNAVAILABLE',
      reason: 'refused',
      message: expect.stringContaining(`Redis at 127.0.0.1:${server.port}`),
      cause: expect.objectContaining({ code: 'ECONNREFUSED' }),
    };
    await expect(cache.get('key')).rejects.toMatchObject(refused);
    await expect(cache.set('key', 1)).rejects.toMatchObject(refused);
    await expect(cache.getMany(['key'])).rejects.toMatchObject(refused);
    await expect(cache.clear()).rejects.toMatchObject(refused);
  });

  test('is left alone after five failures, and used again when it is back', async () => {
    const cache = open(server.url);
    await cache.set('key', 1);
    await server.kill();
    for (let i = 0; i < 5; i++) await expect(cache.get('key')).rejects.toThrow();
    await expect(cache.get('key')).rejects.toMatchObject({ reason: 'open' });
    await server.restart();
    expect(await untilAnswered(cache, 'key')).toBeUndefined();
    await cache.set('key', 2);
    expect(await cache.get('key')).toBe(2);
  });

  test('with onError "miss", failures are misses and told of', async () => {
    const told: [string, CacheFailure][] = [];
    const cache = open(server.url, {
      onError: 'miss',
      onFailure: (error, failure) => told.push([(error as Error).name, failure]),
    });
    await cache.set('key', 1);
    await server.kill();
    expect(await cache.get('key', 'fallback')).toBe('fallback');
    expect(await cache.getMany(['key'])).toEqual({});
    expect(await cache.setMany({ a: 1, b: 2 })).toEqual(['a', 'b']);
    expect(await cache.add('key', 1)).toBe(false);
    expect(await cache.hasKey('key')).toBe(false);
    await expect(cache.incr('key')).rejects.toMatchObject({ code: 'ERR_CACHE_KEY_NOT_FOUND' });
    await expect(cache.clear()).rejects.toMatchObject({ code: 'ERR_CACHE_UNAVAILABLE' });
    expect(told.map(([, { operation }]) => operation)).toEqual([
      'get',
      'getMany',
      'setMany',
      'add',
      'hasKey',
      'incr',
    ]);
    for (const [name] of told) expect(name).toBe('CacheUnavailableError');
  });

  test('an entry that cannot be read is a miss that is told of', async () => {
    const told: CacheFailure[] = [];
    const cache = open(server.url, { onFailure: (_error, failure) => told.push(failure) });
    await askRedis(server, 'SET', ':1:key', '\u0007 not ours');
    expect(await cache.get('key', 'fallback')).toBe('fallback');
    expect(await cache.getMany(['key'])).toEqual({});
    expect(told).toEqual([
      { operation: 'get', key: 'key' },
      { operation: 'getMany', key: 'key' },
    ]);
  });

  test("a list of somebody else's under a key is a miss that is told of, and no integer", async () => {
    const told: CacheFailure[] = [];
    const cache = open(server.url, { onFailure: (_error, failure) => told.push(failure) });
    await askRedis(server, 'RPUSH', ':1:key', 'a');
    expect(await cache.get('key', 'fallback')).toBe('fallback');
    expect(told).toEqual([{ operation: 'get', key: 'key' }]);
    expect(await cache.getMany(['key'])).toEqual({});
    expect(await cache.add('key', 1)).toBe(false);
    await expect(cache.incr('key')).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE', key: 'key' });
    await cache.set('key', 1);
    expect(await cache.incr('key')).toBe(2);
  });

  test('with onError "miss" an entry that is no integer is so all the same', async () => {
    const told: CacheFailure[] = [];
    const onFailure = (_error: unknown, failure: CacheFailure) => told.push(failure);
    const cache = open(server.url, { onError: 'miss', onFailure });
    await cache.set('key', 'text');
    await expect(cache.incr('key')).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE' });
    expect(told).toEqual([]);
  });

  test('is sent no script late, if it had to be asked for its name first', async () => {
    const proxy = await recordingProxy(server);
    const cache = open(proxy.url, { writeTimeoutMs: 100 });
    await untilAnswered(cache, 'warm');
    await askRedis(server, 'SET', ':1:key', 1);
    await askRedis(server, 'SCRIPT', 'FLUSH');
    proxy.reset();
    proxy.hold(200);
    await expect(cache.incr('key')).rejects.toMatchObject({ reason: 'timeout' });
    // This one's answer comes after the one that was held back.
    expect(await untilAnswered(cache, 'after')).toBeUndefined();
    expect(proxy.sent()).toContain('evalsha');
    expect(proxy.sent()).not.toContain('redis.call');
    expect(await askRedis(server, 'GET', ':1:key')).toBe('1');
    await proxy.close();
  });

  test('what was asked for just before close() is done', async () => {
    const cache = open(server.url);
    const asked = Promise.all([cache.set('key', 1), cache.add('other', 2), cache.get('none')]);
    await cache.close();
    expect(await asked).toEqual([undefined, true, undefined]);
    expect(await askRedis(server, 'MGET', ':1:key', ':1:other')).toEqual(['1', '2']);
  });

  test('close() while keys are gone through leaves no connection behind', async () => {
    const cache = open(server.url);
    await cache.setMany(Array.from({ length: 3000 }, (_, i) => [`key${i}`, i] as const));
    const walk = async () => {
      let isFirst = true;
      for await (const _key of cache.keys()) {
        if (!isFirst) continue;
        isFirst = false;
        await cache.close();
        // What ends the connection is told in a moment.
        await delay(50);
      }
    };
    await expect(walk()).rejects.toMatchObject({ reason: 'refused' });
    expect(await addresses()).toHaveLength(1);
  });

  test('that hangs costs the deadline, and goes on where it was', async () => {
    const cache = open(server.url, { readTimeoutMs: 400, writeTimeoutMs: 400 });
    await eventually(() => cache.set('key', 1));
    server.freeze();
    await expect(cache.get('key')).rejects.toMatchObject({ reason: 'timeout' });
    await expect(cache.set('key', 2)).rejects.toMatchObject({ reason: 'timeout' });
    server.thaw();
    expect(await untilAnswered(cache, 'absent')).toBeUndefined();
  });

  test('that hangs loses its connection after a while, and is connected anew', async () => {
    const cache = open(server.url, { readTimeoutMs: 400, socketTimeout: 400 });
    await eventually(() => cache.set('key', 1));
    const [before] = await addresses();
    server.freeze();
    await expect(cache.get('key')).rejects.toThrow();
    await delay(500);
    server.thaw();
    expect(await untilAnswered(cache, 'key')).toBe(1);
    expect(await addresses()).not.toContain(before);
  });

  test('is not sent later what was to be sent while it was away', async () => {
    const cache = open(server.url);
    await cache.get('warm');
    await server.kill();
    const writes = await Promise.allSettled(
      Array.from({ length: 200 }, (_, i) => cache.set(`key${i}`, i)),
    );
    expect(writes.every(({ status }) => status === 'rejected')).toBe(true);
    await server.restart();
    await untilAnswered(cache, 'key');
    expect(await askRedis(server, 'DBSIZE')).toBe(0);
  });

  test('is not sent when it is there at last what was given up as it could not be reached', async () => {
    const cache = open(server.url, { writeTimeoutMs: 200 });
    server.freeze();
    await expect(cache.set('key', 1)).rejects.toMatchObject({ reason: 'timeout' });
    server.thaw();
    await untilAnswered(cache, 'key');
    expect(await askRedis(server, 'DBSIZE')).toBe(0);
  });

  test('has no more under way than options.maxPending', async () => {
    const cache = open(server.url, { maxPending: 10, readTimeoutMs: 400 });
    await untilAnswered(cache, 'warm');
    server.freeze();
    const reads = await Promise.allSettled(Array.from({ length: 30 }, () => cache.get('key')));
    const reasons = reads.map((read) => read.status === 'rejected' && read.reason.reason);
    expect(reasons.filter((reason) => reason === 'overload')).toHaveLength(20);
    expect(reasons.filter((reason) => reason === 'timeout')).toHaveLength(10);
    server.thaw();
  });

  test('errors that it answers are no failures of it', async () => {
    const cache = open(server.url);
    await askRedis(server, 'CONFIG', 'SET', 'maxmemory', '1');
    for (let i = 0; i < 10; i++) await expect(cache.set('key', 1)).rejects.toThrow('OOM');
    expect(await cache.get('other')).toBeUndefined();
  });

  test('a leader that was demoted is left, and its name asked again', async () => {
    const cache = open(server.url);
    await cache.set('key', 1);
    const [before] = await addresses();
    await askRedis(server, 'REPLICAOF', '127.0.0.1', '1');
    await expect(cache.set('key', 2)).rejects.toThrow('READONLY');
    await askRedis(server, 'REPLICAOF', 'NO', 'ONE');
    await untilAnswered(cache, 'key');
    await cache.set('key', 3);
    expect(await cache.get('key')).toBe(3);
    expect(await addresses()).not.toContain(before);
  });

  test('a page is a miss within its own deadline', async () => {
    const cache = open(server.url);
    await cache.getFrozen('page', 1000);
    server.freeze();
    await expect(cache.getFrozen('page', 20)).rejects.toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('20 ms'),
    });
    await expect(
      cache.setFrozen('page', { byteLength: 1, toBytes: () => Buffer.from('x') }, 60, 20),
    ).rejects.toMatchObject({ reason: 'timeout' });
    await expect(cache.deleteFrozen('page', 20)).rejects.toMatchObject({ reason: 'timeout' });
    await expect(cache.deleteFrozenMany(['page', 'other'], 20)).rejects.toMatchObject({
      reason: 'timeout',
    });
    server.thaw();
  });
});

describeWithServer('redis', 'RedisCache on a cluster of which something fails', () => {
  let cluster: RedisCluster;
  beforeEach(async () => {
    cluster = await startRedisCluster({
      config: { 'cluster-require-full-coverage': 'no' },
    });
  });
  afterEach(() => cluster.stop());

  /** A key for each node. */
  async function keysOfNodes(): Promise<string[]> {
    const slots = await Promise.all(
      Array.from({ length: 30 }, async (_, i) =>
        Number(await askRedis(cluster.nodes[0]!, 'CLUSTER', 'KEYSLOT', `:1:key${i}`)),
      ),
    );
    return [0, 1, 2].map((node) => {
      const i = slots.findIndex((slot) => Math.floor((slot * 3) / 16_384) === node);
      return `key${i}`;
    });
  }

  test('a master that is down costs its own keys, and no others', async () => {
    const cache = open(cluster.urls, { cluster: true, readTimeoutMs: 1500 });
    const [lost, ...kept] = await keysOfNodes();
    await cache.setMany({ [lost!]: 0, [kept[0]!]: 1, [kept[1]!]: 2 });
    cluster.nodes[0]!.freeze();
    for (let i = 0; i < 10; i++) {
      await expect(cache.get(lost!)).rejects.toMatchObject({ code: 'ERR_CACHE_UNAVAILABLE' });
      expect(await cache.getMany(kept)).toEqual({ [kept[0]!]: 1, [kept[1]!]: 2 });
    }
    await expect(cache.get(lost!)).rejects.toMatchObject({ reason: 'open' });
    cluster.nodes[0]!.thaw();
    expect(await untilAnswered(cache, lost!)).toBe(0);
  });

  test('more keys than may be under way are one operation to each master', async () => {
    const cache = open([...cluster.urls], { cluster: true, maxPending: 10 });
    const entries = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key${i}`, i]));
    expect(await cache.setMany(entries)).toEqual([]);
    expect(await cache.getMany(Object.keys(entries))).toEqual(entries);
    await cache.deleteMany(Object.keys(entries));
    expect(await cache.getMany(Object.keys(entries))).toEqual({});
  });

  test("a list of somebody else's is a miss among others", async () => {
    const cache = open([...cluster.urls], { cluster: true, onFailure: () => {} });
    await cache.set('key', 1);
    const raw = new Cluster([...cluster.urls]);
    await raw.rpush(':1:list', 'a');
    await raw.quit();
    expect(await cache.getMany(['key', 'list'])).toEqual({ key: 1 });
  });

  test('a master that dies and comes back is used again', async () => {
    const cache = open(cluster.urls, { cluster: true, readTimeoutMs: 1500 });
    const [lost, kept] = await keysOfNodes();
    await cache.setMany({ [lost!]: 0, [kept!]: 1 });
    await cluster.nodes[0]!.kill();
    for (let i = 0; i < 10; i++) {
      await expect(cache.get(lost!)).rejects.toThrow();
      expect(await cache.get(kept!)).toBe(1);
    }
    await cluster.nodes[0]!.restart();
    expect(await untilAnswered(cache, lost!)).toBeUndefined();
  });

  test('a slot that moves to another node under load fails nobody', async () => {
    const cache = open(cluster.urls, { cluster: true });
    const [key] = await keysOfNodes();
    const slot = Number(await askRedis(cluster.nodes[0]!, 'CLUSTER', 'KEYSLOT', `:1:${key}`));
    await cache.set(key!, 0, null);
    let counted = 0;
    let isMoving = true;
    const counting = Array.from({ length: 10 }, async () => {
      while (isMoving) {
        await cache.incr(key!);
        counted += 1;
        await cache.getMany([key!, 'other']);
      }
    });
    await cluster.moveSlot(slot, cluster.nodes[0]!, cluster.nodes[1]!);
    await cluster.moveSlot(slot, cluster.nodes[1]!, cluster.nodes[2]!);
    isMoving = false;
    await Promise.all(counting);
    expect(counted).toBeGreaterThan(20);
    expect(await cache.get(key!)).toBe(counted);
    expect(await askRedis(cluster.nodes[2]!, 'GET', `:1:${key}`)).toBe(String(counted));
  });
});

describeWithServer('redis', 'RedisCache by Sentinel', () => {
  test('passes over a Sentinel that hangs', async () => {
    const { sentinels, name, stop } = await startSentinel();
    const hung = createServer(() => {}).listen(0, '127.0.0.1');
    await once(hung, 'listening');
    const { port } = hung.address() as AddressInfo;
    const cache = open('', {
      sentinels: [{ host: '127.0.0.1', port }, ...sentinels],
      name,
    });
    expect(await cache.get('key')).toBeUndefined();
    await cache.close();
    hung.close();
    await stop();
  });

  test('follows the leader when it is replaced', async () => {
    const { sentinels, name, leader, replicas, stop } = await startSentinel({
      replicas: 1,
      downAfterMs: 500,
    });
    try {
      const cache = open('', { sentinels, name, readTimeoutMs: 400, writeTimeoutMs: 400 });
      await eventually(() => cache.set('key', 'value', null));
      expect(await askRedis(leader, 'WAIT', 1, 60_000)).toBe(1);
      await leader.kill();
      expect(await untilAnswered(cache, 'key')).toBe('value');
      await eventually(() => cache.set('key', 'new', null));
      expect(await untilAnswered(cache, 'key')).toBe('new');
      expect(String(await askRedis(replicas[0]!, 'INFO', 'replication'))).toContain('role:master');
    } finally {
      await stop();
    }
  });
});
