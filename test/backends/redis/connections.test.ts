import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { RedisCache, type RedisLocation, type RedisOptions } from 'cachewright';
import { Redis } from 'ioredis';
import { recordingProxy } from '../../support/recording-proxy';
import { redisCalls, resetCalls } from '../../support/redis-calls';
import {
  describeWithServer,
  type RedisReplicas,
  type RedisServer,
  startRedis,
  startRedisReplicas,
} from '../../support/servers';
import { freePort } from '../../support/servers/free-port';
import { askRedis } from '../../support/servers/redis-client';
import { UNHURRIED } from '../../support/unhurried';

const opened: RedisCache[] = [];
const running: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((cache) => cache.close()));
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

function open(location: RedisLocation, options: RedisOptions = {}): RedisCache {
  const cache = new RedisCache(location, { options: { ...UNHURRIED, ...options } });
  opened.push(cache);
  return cache;
}

/** Stopped after the test. */
async function start(...args: Parameters<typeof startRedis>): Promise<RedisServer> {
  const server = await startRedis(...args);
  running.push(server);
  return server;
}

async function clientsOf(server: RedisServer): Promise<string[]> {
  const list = String(await askRedis(server, 'CLIENT', 'LIST'));
  // But for the one that asks.
  return list.split('\n').filter((line) => line !== '' && !line.includes('cmd=client|list'));
}

describeWithServer('redis', 'where a RedisCache finds its server', () => {
  test('by a URL with a database number (REDIS-01)', async () => {
    const server = await start();
    await open(`${server.url}/5`).set('key', 'in five');
    expect(await open(server.url, { db: 5 }).get('key')).toBe('in five');
    expect(await open(server.url).get('key')).toBeUndefined();
  });

  test('a database that the server does not have is an error, and nothing is put elsewhere', async () => {
    const server = await start();
    const caches = [open(`${server.url}/99`), open(server.url, { db: 99 })];
    for (const cache of [...caches, ...caches]) {
      await expect(cache.set('key', 1)).rejects.toMatchObject({
        code: 'ERR_CACHE_UNAVAILABLE',
        reason: 'refused',
        message: expect.stringContaining('DB index is out of range'),
      });
    }
    expect(await askRedis(server, 'DBSIZE')).toBe(0);
  });

  test('by host and port (REDIS-01)', async () => {
    const server = await start();
    const cache = open(`127.0.0.1:${server.port}`);
    await cache.set('key', 1);
    expect(await askRedis(server, 'GET', ':1:key')).toBe('1');
  });

  test('with a password from the URL, or from the options (REDIS-01)', async () => {
    const server = await start({ password: 'p:/@ss' });
    await open(server.url).set('key', 1);
    const cache = open(`redis://127.0.0.1:${server.port}`, { password: 'p:/@ss' });
    expect(await cache.get('key')).toBe(1);
    const wrong = open(`redis://:wrong@127.0.0.1:${server.port}`);
    await expect(wrong.get('key')).rejects.toThrow(/WRONGPASS/);
  });

  test('as a user of its own (REDIS-01)', async () => {
    const server = await start({ user: { name: 'ann', password: 'secret' } });
    const cache = open(server.url);
    await cache.set('key', 1);
    expect(await cache.get('key')).toBe(1);
    const byOptions = open(`127.0.0.1:${server.port}`, { username: 'ann', password: 'secret' });
    expect(await byOptions.get('key')).toBe(1);
  });

  test.each([
    ['unix://', (path: string) => `unix://${path}`],
    ['unix:', (path: string) => `unix:${path}`],
    ['its path', (path: string) => path],
  ])('by a Unix socket: %s (REDIS-01)', async (_name, location) => {
    const server = await start({ unixSocket: true });
    const cache = open(location(server.path!));
    await cache.set('key', 1);
    expect(await cache.get('key')).toBe(1);
  });

  test('by a Unix socket, with a password and a database number (REDIS-01)', async () => {
    const server = await start({ unixSocket: true, password: 'p:/@ss' });
    await open(`${server.url}?db=3`).set('key', 1);
    expect(await open(server.url, { db: 3 }).get('key')).toBe(1);
    expect(await open(server.url).get('key')).toBeUndefined();
  });

  test.each([
    ['nothing', ''],
    ['an empty list', []],
    ['a number', 6379],
    ['another scheme', 'http://localhost'],
    ['a port there is none of', 'redis://localhost:99999'],
    ['a database without a number', 'redis://localhost/cache'],
    ['a path in a database', 'redis://localhost/1/2'],
  ])('%s is no location (REDIS-01)', (_name, location) => {
    expect(() => open(location as string)).toThrow(TypeError);
  });

  test.each<[unknown, RedisOptions?]>([
    ['http://ann:secret@localhost'],
    ['ann:/secret@localhost'],
    ['redis://:/secret@localhost'],
    ['redis://:#secret@localhost'],
    ['redis://:%zzsecret@localhost'],
    ['unix://ann:/secret@/tmp/redis.sock'],
    ['unix://ann:%zzsecret@/tmp/redis.sock'],
    ['redis://ann:/secret@localhost', { cluster: true }],
    ['ann:%zzsecret@localhost', { cluster: true }],
    [['redis://ann:secret@localhost', 6379]],
    [{ host: 'localhost', password: 'secret' }],
  ])('an error about the location does not tell its password: %j', (...[location, options]) => {
    let error: unknown;
    try {
      open(location as string, options);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(/location.* Give /);
    // Also of what an inspected error shows beside its message.
    expect(inspect(error)).not.toContain('secret');
  });

  test.each<[string, RedisOptions]>([
    ['clears', { clears: 'all' as 'database' }],
    ['ownWritesMs', { ownWritesMs: -1 }],
  ])('options.%s is checked when the cache is made', (name, options) => {
    expect(() => open('redis://localhost', options)).toThrow(`options.${name}`);
  });
});

describeWithServer('redis-tls', 'RedisCache over TLS', () => {
  test('by a URL of the scheme rediss (REDIS-01)', async () => {
    const server = await start({ tls: true });
    const cache = open(server.url, { tls: { ca: server.ca } });
    await cache.set('key', 'value');
    expect(await cache.get('key')).toBe('value');
    // The certificate is checked: nobody vouches for it here.
    await expect(open(server.url).get('key')).rejects.toMatchObject({
      code: 'ERR_CACHE_UNAVAILABLE',
    });
  });
});

describeWithServer('redis', 'connections of a RedisCache', () => {
  test('are made by the first operation, one for each server, and used again (REDIS-06)', async () => {
    const server = await start();
    const cache = open(server.url);
    expect(await clientsOf(server)).toEqual([]);
    await Promise.all([cache.get('a'), cache.set('b', 1), cache.getMany(['a', 'b'])]);
    await cache.incr('b');
    expect(await clientsOf(server)).toHaveLength(1);
    await cache.close();
    expect(await clientsOf(server)).toEqual([]);
    expect(await cache.get('b')).toBe(2);
    expect(await clientsOf(server)).toHaveLength(1);
  });

  test('are closed once what is under way is done', async () => {
    const server = await start();
    const cache = open(server.url);
    const large = Buffer.alloc(1_000_000, 'x');
    await cache.set('large', large);
    const reads = Promise.all(Array.from({ length: 30 }, () => cache.get<Buffer>('large')));
    await cache.close();
    for (const found of await reads) expect(found).toHaveLength(large.length);
  });

  test('that were closed let the process end, as does a server that is not there', async () => {
    const server = await start();
    const child = fork(join(__dirname, '../../support/redis-closing-child.ts'), [server.url], {
      execArgv: ['--import', 'tsx'],
    });
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  test('have the options that ioredis knows, unchanged (REDIS-07)', async () => {
    const server = await start();
    await open(server.url, { connectionName: 'shop', db: 5 }).get('key');
    const [client] = await clientsOf(server);
    expect(client).toContain('name=shop');
    expect(client).toContain('db=5');
  });

  test('of a ready-made client are its own, and stay open (REDIS-07)', async () => {
    const server = await start();
    const client = new Redis(server.url, { connectionName: 'mine', keyPrefix: 'app:' });
    const cache = open(client);
    await cache.set('key', 1);
    expect(await askRedis(server, 'GET', 'app::1:key')).toBe('1');
    expect(await clientsOf(server)).toHaveLength(1);
    await cache.close();
    expect(await client.ping()).toBe('PONG');
    expect(await cache.get('key')).toBe(1);
    await Promise.all([once(client, 'end'), client.quit()]);
    await expect(cache.get('key')).rejects.toMatchObject({
      code: 'ERR_CACHE_UNAVAILABLE',
      message: expect.stringContaining('its client was closed'),
    });
  });

  test("clear() and keys() see past a ready-made client's own prefix", async () => {
    const server = await start();
    const client = new Redis(server.url, { keyPrefix: 'app[*]:' });
    const cache = open(client);
    await cache.setMany({ a: 1, b: 2 });
    await askRedis(server, 'SET', ':1:other', 'stays');
    const keys: string[] = [];
    for await (const key of cache.keys()) keys.push(key);
    expect(keys.sort()).toEqual(['a', 'b']);
    await cache.clear();
    expect(await askRedis(server, 'KEYS', '*')).toEqual([':1:other']);
    await client.quit();
  });

  test.each<[string, RedisOptions, RegExp, RegExp]>([
    ['as cachewright', {}, /ioredis\(cachewright\)/, /never/],
    ['as the user says', { clientInfoTag: 'shop_2' }, /ioredis\(shop_2\)/, /cachewright/],
    ['not at all, if the user says so', { disableClientInfo: true }, /hello/, /setinfo/i],
  ])('are told to the server %s (REDIS-19)', async (_name, options, told, untold) => {
    const server = await start();
    const proxy = await recordingProxy(server);
    await open(proxy.url, options).get('key');
    expect(proxy.sent()).toMatch(told);
    expect(proxy.sent()).not.toMatch(untold);
    await proxy.close();
  });
});

describeWithServer('redis', 'RedisCache on a leader and replicas', () => {
  let servers: RedisReplicas;
  beforeAll(async () => {
    servers = await startRedisReplicas({ replicas: 2 });
  });
  afterAll(() => servers.stop());

  const callsOf = () => Promise.all([servers.leader, ...servers.replicas].map(redisCalls));

  test.each([
    ['an array', () => [...servers.urls]],
    ['one string with commas', () => servers.urls.join(',')],
    ['one string with semicolons', () => servers.urls.join('; ')],
  ])(
    'given as %s, reads the replicas and never the leader (REDIS-01, REDIS-02)',
    async (_name, location) => {
      const cache = open(location());
      await resetCalls(servers.leader, ...servers.replicas);
      for (let i = 0; i < 40; i++) {
        await cache.get('absent');
        await cache.getMany(['absent', 'also absent'.replace(' ', '-')]);
        await cache.hasKey('absent');
        await cache.ttl('absent');
      }
      const [leader, ...replicas] = await callsOf();
      expect(leader).toEqual({});
      for (const calls of replicas) {
        for (const name of ['get', 'mget', 'exists', 'pttl'])
          expect(calls[name]).toBeGreaterThan(0);
      }
      const total = replicas.reduce((sum, { get = 0 }) => sum + get, 0);
      expect(total).toBe(40);
    },
  );

  test('writes to the leader: set, add, touch, delete, setMany, deleteMany, clear, incr (REDIS-02, REDIS-03)', async () => {
    const cache = open([...servers.urls], { ownWritesMs: 0 });
    await resetCalls(servers.leader, ...servers.replicas);
    const seen: Record<string, Record<string, number>> = {};
    const operations: Record<string, () => Promise<unknown>> = {
      set: () => cache.set('key', 1),
      add: () => cache.add('other', 1),
      touch: () => cache.touch('key'),
      setMany: () => cache.setMany({ a: 1 }),
      incr: () => cache.incr('key'),
      delete: () => cache.delete('key'),
      deleteMany: () => cache.deleteMany(['a']),
      clear: () => cache.clear(),
    };
    for (const [name, work] of Object.entries(operations)) {
      await resetCalls(servers.leader);
      await work();
      seen[name] = await redisCalls(servers.leader);
    }
    expect(seen).toMatchObject({
      set: { set: 1 },
      add: { set: 1 },
      touch: { expire: 1 },
      setMany: { set: 1 },
      incr: { incrby: 1 },
      delete: { unlink: 1 },
      deleteMany: { unlink: 1 },
      clear: { scan: 1, unlink: 1 },
    });
    // What replicas did was told by their leader; of their own accord nobody wrote to them.
    for (const replica of servers.replicas) {
      expect(String(await askRedis(replica, 'INFO', 'errorstats'))).not.toContain('READONLY');
    }
  });

  test('reads what it wrote or removed itself from the leader for a moment', async () => {
    const cache = open([...servers.urls], { ownWritesMs: 60_000 });
    await cache.set('mine', 'old');
    await resetCalls(servers.leader, ...servers.replicas);
    expect(await cache.get('mine')).toBe('old');
    expect(await cache.getMany(['mine', 'other'])).toEqual({ mine: 'old' });
    await cache.delete('mine');
    expect(await cache.hasKey('mine')).toBe(false);
    await cache.get('other');
    const [leader, ...replicas] = await callsOf();
    expect(leader).toMatchObject({ get: 1, mget: 1, exists: 1 });
    expect(replicas.reduce((sum, { get = 0 }) => sum + get, 0)).toBe(1);
  });

  test('and from a replica when the moment is over', async () => {
    const cache = open([...servers.urls], { ownWritesMs: 50 });
    await cache.set('mine', 1);
    await new Promise((resolve) => setTimeout(resolve, 60));
    await resetCalls(servers.leader, ...servers.replicas);
    await cache.get('mine');
    expect((await callsOf())[0]).toEqual({});
  });

  test('reads anything from the leader for a moment after clear()', async () => {
    const cache = open([...servers.urls], { ownWritesMs: 120_000 });
    await cache.clear();
    await resetCalls(servers.leader, ...servers.replicas);
    await cache.get('whatever');
    expect((await callsOf())[0]).toEqual({ get: 1 });
  });

  test('without that moment a read may miss what was just written, as in Django (REDIS-04)', async () => {
    const lagging = servers.replicas[0]!;
    const cache = open([servers.leader.url, lagging.url], { ownWritesMs: 0 });
    await cache.set('key', 'old');
    while ((await cache.get('key')) !== 'old');
    await askRedis(lagging, 'REPLICAOF', 'NO', 'ONE');
    await cache.set('key', 'new');
    expect(await cache.get('key')).toBe('old');
    await askRedis(lagging, 'REPLICAOF', '127.0.0.1', servers.leader.port);
    while ((await cache.get('key')) !== 'new') await new Promise(setImmediate);
  });

  test('reads the leader while no replica can be reached, and a replica again later', async () => {
    const leader = await start();
    const port = await freePort();
    const cache = open([leader.url, `redis://127.0.0.1:${port}`], { ownWritesMs: 0 });
    await cache.set('key', 'value');
    await expect(cache.get('key')).rejects.toMatchObject({ code: 'ERR_CACHE_UNAVAILABLE' });
    expect(await cache.get('key')).toBe('value');
    expect(await cache.getMany(['key'])).toEqual({ key: 'value' });
  });
});
