import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import {
  CacheUnavailableError,
  caches,
  configureCaches,
  createCaches,
  LocMemCache,
  RedisCache,
  TieredCache,
} from 'cachewright';
import { readFrozen } from '../../../src/page-cache/page-reads';
import { eventually } from '../../support/eventually';
import { pageApp } from '../../support/page-app';
import { redisCalls, resetCalls } from '../../support/redis-calls';
import {
  describeWithServer,
  type NetworkServer,
  type RedisServer,
  startRedis,
} from '../../support/servers';
import { askRedis } from '../../support/servers/redis-client';
import { settled } from '../../support/settled';
import { visit } from '../../support/visit';

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describeWithServer('redis', 'Local tiers over one Redis', () => {
  let server: RedisServer;
  let opened: TieredCache[];
  let sites = 0;

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    opened = [];
    sites += 1;
  });
  afterEach(async () => {
    await Promise.all(opened.map((cache) => cache.close()));
    await caches.closeAll();
  });

  /** As another process would have it. */
  function open(options = {}, url = server.url): TieredCache {
    const shared = new RedisCache(url, { keyPrefix: `site${sites}` });
    const cache = new TieredCache(
      shared,
      { options: { trustMs: 300, maxAge: 60, ...options } },
      true,
    );
    opened.push(cache);
    return cache;
  }

  /** The server's address for a user with this rule about channels. */
  async function asUser(name: string, rule: string): Promise<string> {
    await askRedis(server, 'ACL', 'SETUSER', name, 'on', '>secret', '~*', '+@all', rule);
    return server.url.replace('//', `//${name}:secret@`);
  }

  async function connectionsOf(user: string): Promise<number> {
    const list = String(await askRedis(server, 'CLIENT', 'LIST'));
    return list.split(` user=${user} `).length - 1;
  }

  /** Two who know each other, so that changes wait for answers and no longer. */
  async function openTwo(options = {}, url?: string): Promise<[TieredCache, TieredCache]> {
    const two: [TieredCache, TieredCache] = [open(options), open(options, url)];
    await Promise.all(two.map((cache) => cache.get('nothing')));
    await sleep(900);
    return two;
  }

  test('what was read once is answered without asking the server', async () => {
    const [one, two] = await openTwo({ trustMs: 3000 });
    await one.set('key', { name: 'value' });
    await two.get('key');
    await sleep(50);
    await resetCalls(server);
    for (let i = 0; i < 100; i += 1) expect(await two.get('key')).toEqual({ name: 'value' });
    expect(await two.hasKey('key')).toBe(true);
    expect(await two.getMany(['key'])).toEqual({ key: { name: 'value' } });
    const calls = await redisCalls(server);
    expect(calls.get ?? 0).toBeLessThanOrEqual(1);
    expect(calls.mget).toBeUndefined();
  });

  test('each caller gets a copy of its own', async () => {
    const cache = open();
    await cache.set('key', { list: [1] });
    const first = await cache.get<{ list: number[] }>('key');
    const second = await cache.get('key');
    first!.list.push(2);
    expect(second).toEqual({ list: [1] });
    expect(await cache.get('key')).toEqual({ list: [1] });
  });

  test.each<[string, (cache: TieredCache) => Promise<unknown>, unknown]>([
    ['set()', (cache) => cache.set('key', 'new'), 'new'],
    ['setMany()', (cache) => cache.setMany({ key: 'new' }), 'new'],
    ['delete()', (cache) => cache.delete('key'), undefined],
    ['deleteMany()', (cache) => cache.deleteMany(['key']), undefined],
    ['clear()', (cache) => cache.clear(), undefined],
    ['touch() to the end', (cache) => cache.touch('key', 0), undefined],
  ])('%s is seen by another process at once', async (_name, change, expected) => {
    const [one, two] = await openTwo();
    await one.set('key', 'old');
    for (let i = 0; i < 3; i += 1) expect(await two.get('key')).toBe('old');
    await change(one);
    expect(await two.get('key')).toBe(expected);
  });

  test('incr() is seen by another process at once', async () => {
    const [one, two] = await openTwo();
    await one.set('count', 1);
    expect(await two.get('count')).toBe(1);
    expect(await two.get('count')).toBe(1);
    await one.incr('count');
    expect(await two.get('count')).toBe(2);
  });

  test('a value expires in the local tier when it does in the shared cache', async () => {
    const [one, two] = await openTwo();
    await one.set('key', 'value', 1);
    expect(await two.get('key')).toBe('value');
    await sleep(1050);
    expect(await two.get('key')).toBeUndefined();
  });

  test('what is written past the local tiers is noticed after maxAge', async () => {
    const cache = open({ maxAge: 0.5 });
    await cache.get('nothing');
    await sleep(100);
    await cache.set('key', 'old');
    expect(await cache.get('key')).toBe('old');
    await cache.shared.set('key', 'new');
    expect(await cache.get('key')).toBe('old');
    await sleep(550);
    expect(await cache.get('key')).toBe('new');
  });

  test('a page in the local tier is found at once, without asking the server', async () => {
    const own = {
      backend: 'tiered',
      location: 'shared',
      options: { trustMs: 3000, maxAge: 60 },
    } as const;
    configureCaches({
      default: own,
      shared: { backend: 'redis', location: server.url, keyPrefix: `pages${sites}` },
    });
    await caches.default.get('nothing');
    const { app, origin } = pageApp();
    await visit(app, '/page').expect('page 1');
    // Stored, which takes the server a few answers, and found by those that ask for it once.
    await eventually(async () => {
      await visit(app, '/page').expect('page 1');
      await resetCalls(server);
      await visit(app, '/page').expect('page 1');
      expect((await redisCalls(server)).mget).toBeUndefined();
    });
    await resetCalls(server);
    for (let i = 0; i < 20; i += 1) await visit(app, '/page').expect('page 1');
    const calls = await redisCalls(server);
    expect(calls.mget).toBeUndefined();
    // To look into the ledger, once a second.
    expect(calls.get ?? 0).toBeLessThanOrEqual(2);
    expect(origin.calls).toBe(1);
  });

  test('a page that another process has stored is kept as it was decoded', async () => {
    const prefix = `adopted${sites}`;
    const settings = (backend: 'tiered') => ({
      default: { backend, location: 'shared', options: { trustMs: 3000, maxAge: 60 } } as const,
      shared: { backend: 'redis', location: server.url, keyPrefix: prefix } as const,
    });
    configureCaches(settings('tiered'));
    const { app, origin } = pageApp();
    await visit(app, '/page').expect('page 1');
    await settled();
    await caches.closeAll();
    configureCaches(settings('tiered'));
    await eventually(async () => {
      await visit(app, '/page').expect('page 1');
      await resetCalls(server);
      await visit(app, '/page').expect('page 1');
      const calls = await redisCalls(server);
      expect(calls.mget).toBeUndefined();
    });
    expect(origin.calls).toBe(1);
  });

  test('pages in the local tier are there without an await, as they were decoded', async () => {
    const cache = open({ trustMs: 3000 });
    const page = (text: string) => ({ byteLength: 4, toBytes: () => Buffer.from(text) });
    await cache.get('nothing');
    await sleep(100);
    await cache.shared.setFrozen('page', page('text'), 60, 1000);
    const bytes = (await cache.getFrozen('page', 1000)) as Buffer;
    expect(bytes.toString()).toBe('text');
    expect(cache.getFrozen('page', 1000)).toBe(bytes);
    const decoded = page('text');
    cache.adoptFrozen('page', Buffer.from('text'), decoded);
    expect(cache.frozenAtHand('page')).toBe(bytes);
    cache.adoptFrozen('page', bytes, decoded);
    expect(cache.frozenAtHand('page')).toBe(decoded);
    // However many ask for it in one turn of the event loop.
    for (let i = 0; i < 3; i += 1) expect(readFrozen(cache, 'page', 1000, false)).toBe(decoded);
    expect(cache.getFrozen('page', 1000, true)).toBeInstanceOf(Promise);
    const stored = page('more');
    await cache.setFrozen('page', stored, 60, 1000);
    expect(cache.getFrozen('page', 1000)).toBe(stored);
  });

  test('a purge is seen by another process at once, and again is asked for nothing', async () => {
    const [one, two] = await openTwo();
    const note = async (cache: TieredCache) => (await cache.tags.note(['t.a', 't.b'])).counters;
    const counters = await note(one);
    expect(await two.tags.check(counters)).toBe('valid');
    expect(two.tags.check(counters)).toBe('valid');
    const { sequence } = two.tags;
    expect(sequence).toBeDefined();
    await one.invalidateTags(['a']);
    expect(await two.tags.check(counters)).toBe('purged');
    expect(two.tags.sequence).not.toBe(sequence);
    expect(two.tags.check(new Map([['t.b', counters.get('t.b')!]]))).toBe('valid');
  });

  test('a process whose messages are lost is waited for until it trusts itself no more', async () => {
    const proxy = await lossyProxy(server);
    const [one, two] = await openTwo({}, proxy.url);
    await one.set('key', 'old');
    for (let i = 0; i < 3; i += 1) expect(await two.get('key')).toBe('old');
    proxy.isSilent = true;
    await one.set('key', 'new');
    // It cannot ask either.
    await expect(two.get('key')).rejects.toThrow(CacheUnavailableError);
    proxy.isSilent = false;
    expect(await eventually(() => two.get('key'))).toBe('new');
    await proxy.close();
  });

  test('a process that is gone is waited for a few times, and then no more', async () => {
    const proxy = await lossyProxy(server);
    const [one, two] = await openTwo({}, proxy.url);
    await one.set('key', 1);
    expect(await two.get('key')).toBe(1);
    proxy.isSilent = true;
    await one.set('key', 2);
    await sleep(400);
    await one.set('key', 3);
    await sleep(400);
    const read = jest.spyOn(globalThis, 'setTimeout');
    await one.set('key', 4);
    // It waits for nobody, so it sets no clock for that.
    expect(read.mock.calls.filter(([, ms]) => ms === 300 * 1.05 + 20)).toEqual([]);
    read.mockRestore();
    proxy.isSilent = false;
    expect(await eventually(() => two.get('key'))).toBe(4);
    await proxy.close();
  });

  test('purges that do not reach the shared cache are kept, and made up for', async () => {
    const proxy = await lossyProxy(server);
    const [one, two] = await openTwo({}, proxy.url);
    const { counters } = await one.tags.note(['t.product']);
    await one.set('gone', 'value');
    await one.set('stays', 'value');
    expect(await two.get('gone')).toBe('value');
    for (let i = 0; i < 3; i += 1) expect(await two.get('stays')).toBe('value');
    await proxy.close();
    const refused = expect.objectContaining({
      message: expect.stringMatching(/The purge is kept/),
    });
    await expect(two.delete('gone')).rejects.toEqual(refused);
    await expect(two.invalidateTags(['product'])).rejects.toEqual(refused);
    expect(two.frozenAtHand('gone')).toBeUndefined();
    await expect(two.get('stays')).rejects.toThrow(CacheUnavailableError);
    expect(await one.get('gone')).toBe('value');
    await proxy.reopen();
    await eventually(async () => expect(await one.get('gone')).toBeUndefined());
    await eventually(async () => expect(await one.tags.check(counters)).toBe('purged'));
    expect(
      await eventually(() =>
        two.get('stays').then((found) => found ?? Promise.reject(new Error('not yet'))),
      ),
    ).toBe('value');
    await proxy.close();
  });

  test('where errors are misses, what could not be deleted is deleted later', async () => {
    const proxy = await lossyProxy(server);
    const options = { onError: 'miss' as const, onFailure: () => {} };
    const shared = new RedisCache(proxy.url, { keyPrefix: `site${sites}`, options });
    const cache = new TieredCache(shared, { options: { trustMs: 300 } }, true);
    opened.push(cache);
    const other = open();
    await cache.set('gone', 'value');
    await proxy.close();
    expect(await cache.delete('gone')).toBe(false);
    expect(await other.get('gone')).toBe('value');
    await proxy.reopen();
    await eventually(async () => expect(await other.get('gone')).toBeUndefined());
    await proxy.close();
  });

  test('of too many purges that are kept, all is purged', async () => {
    const proxy = await lossyProxy(server);
    const [one, two] = await openTwo({}, proxy.url);
    await one.set('key', 'value');
    await proxy.close();
    const keys = Array.from({ length: 1001 }, (_, i) => `key${i}`);
    await expect(two.deleteMany(keys)).rejects.toThrow(CacheUnavailableError);
    await proxy.reopen();
    await eventually(async () => expect(await one.get('key')).toBeUndefined());
    await proxy.close();
  });

  test('a server that was emptied, or restarted, leaves nothing in the local tiers', async () => {
    const own = await startRedis();
    const [one, two] = [open({}, own.url), open({}, own.url)];
    await one.set('key', 'old');
    await sleep(900);
    for (let i = 0; i < 3; i += 1) expect(await two.get('key')).toBe('old');
    await own.restart();
    await eventually(async () => expect(await two.get('key')).toBeUndefined());
    await eventually(() => one.set('key', 'new'));
    expect(await two.get('key')).toBe('new');
    await one.set('key', 'newer');
    expect(await two.get('key')).toBe('newer');
    await Promise.all([one.close(), two.close()]);
    await own.stop();
  });

  test('a user who may not subscribe takes no connection more with each change', async () => {
    const url = await asUser('mute', 'resetchannels');
    const cache = open({}, url);
    for (const value of [1, 2, 3, 4]) await cache.set('key', value);
    expect(await cache.get('key')).toBe(4);
    await eventually(async () => expect(await connectionsOf('mute')).toBe(1));
  });

  test('a change that waits as the cache is closed opens nothing again', async () => {
    const url = await asUser('leaver', 'allchannels');
    const proxy = await lossyProxy(server);
    const [one, two] = [open({}, url), open({}, proxy.url)];
    await Promise.all([one.get('nothing'), two.get('nothing')]);
    await sleep(900);
    proxy.isSilent = true;
    let isChanged = false;
    void one.set('key', 'value').then(() => {
      isChanged = true;
    });
    await sleep(100);
    expect(isChanged).toBe(false);
    await one.close();
    expect(isChanged).toBe(true);
    await sleep(100);
    expect(await connectionsOf('leaver')).toBe(0);
    await proxy.close();
  });

  test('nothing is taken from a replica, which may lag behind', async () => {
    // One that lags so far behind that it has nothing.
    const replica = await startRedis();
    const shared = new RedisCache([server.url, replica.url], {
      keyPrefix: `site${sites}`,
      options: { ownWritesMs: 0 },
    });
    const lagging = new TieredCache(shared, { options: { trustMs: 300 } }, true);
    const writer = open();
    await writer.setMany({ a: 1, b: 2 });
    expect(await lagging.getMany(['a', 'b', 'c'])).toEqual({ a: 1, b: 2 });
    expect(await lagging.hasKey('a')).toBe(true);
    expect(await lagging.hasKey('c')).toBe(false);
    await lagging.close();
    await replica.stop();
  });

  test('what is said in one database of a server is not heard in another', async () => {
    const tiers = [0, 1].map((db) => open({}, `${server.url}/${db}`));
    await Promise.all(tiers.map((tier) => tier.get('nothing')));
    const channels = await eventually(async () => {
      const all = (await askRedis(server, 'PUBSUB', 'CHANNELS', 'cachewright_*')) as string[];
      const common = all.filter((channel) => /^cachewright_[^_]+$/.test(channel));
      if (common.length < 2) throw new Error('They do not listen yet.');
      return common;
    });
    expect(new Set(channels).size).toBe(2);
  });

  test('a clear() that is refused is not tried again', async () => {
    const keyFunction = (key: string) => `${key}:site`;
    const shared = new RedisCache(server.url, { keyFunction, keyPrefix: `site${sites}` });
    const cache = new TieredCache(shared, { options: { trustMs: 300 } }, true);
    opened.push(cache);
    await cache.set('key', 'value');
    const clear = jest.spyOn(shared, 'clear');
    await expect(cache.clear()).rejects.toThrow(TypeError);
    expect(await cache.get('key')).toBe('value');
    await sleep(600);
    expect(clear).toHaveBeenCalledTimes(1);
  });

  test('a server that hangs leaves the local tiers what they trust, for as long', async () => {
    const own = await startRedis();
    const cache = open({}, own.url);
    await cache.get('nothing');
    await sleep(400);
    await cache.set('key', 'value');
    expect(await cache.get('key')).toBe('value');
    own.freeze();
    expect(await cache.get('key')).toBe('value');
    await sleep(350);
    await expect(cache.get('key')).rejects.toThrow(CacheUnavailableError);
    own.thaw();
    expect(await eventually(() => cache.get('key'))).toBe('value');
    await cache.close();
    await own.stop();
  });
});

test('location and options are checked', () => {
  const make = (settings: object) => () => createCaches({ default: settings as never }).default;
  expect(make({ backend: 'tiered', location: 'nobody' })).toThrow(
    /alias "nobody" is not configured/,
  );
  expect(make({ backend: 'tiered', location: 'default' })).toThrow(/a local tier over itself/);
  expect(make({ backend: 'tiered', location: 5 })).toThrow(/Give the alias of the shared cache/);
  expect(make({ backend: 'tiered', location: new LocMemCache() })).toThrow(/makes nothing faster/);
  const over = (more: object) =>
    make({ backend: 'tiered', location: { backend: 'dummy' }, ...more });
  expect(over({ timeout: 5 })).toThrow(/"timeout" is that of the shared cache/);
  expect(over({ options: { maxBytes: 0 } })).toThrow(/options.maxBytes is 0/);
  expect(over({ options: { maxAge: '5' } })).toThrow(/options.maxAge is "5"/);
  expect(over({ options: { trustMs: -1 } })).toThrow(/options.trustMs is -1/);
  expect(over({})()).toBeInstanceOf(TieredCache);
});

/** Stands before a server, and may let nothing through. */
interface LossyProxy {
  readonly url: string;
  isSilent: boolean;
  /** Connections break, and are refused. */
  close(): Promise<void>;
  reopen(): Promise<void>;
}

async function lossyProxy(target: NetworkServer): Promise<LossyProxy> {
  const sockets = new Set<Socket>();
  const { host, port } = target;
  let held: (() => void)[] = [];
  let isSilent = false;
  let listening: Server | undefined;
  const pass = (to: Socket) => (bytes: Buffer) => {
    if (isSilent) held.push(() => to.write(bytes));
    else to.write(bytes);
  };
  const listen = (at: number) =>
    new Promise<number>((resolve) => {
      const server = createServer((near) => {
        const far = connect(port, host);
        for (const socket of [near, far]) sockets.add(socket.on('error', () => {}));
        near.on('data', pass(far)).on('close', () => far.destroy());
        far.on('data', pass(near)).on('close', () => near.destroy());
      });
      listening = server;
      server.listen(at, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
  const at = await listen(0);
  return {
    url: `redis://127.0.0.1:${at}`,
    get isSilent() {
      return isSilent;
    },
    set isSilent(silent) {
      isSilent = silent;
      if (silent) return;
      for (const send of held) send();
      held = [];
    },
    async close() {
      const server = listening;
      listening = undefined;
      for (const socket of sockets) socket.destroy();
      sockets.clear();
      if (server !== undefined) await new Promise((resolve) => server.close(resolve));
    },
    async reopen() {
      await listen(at);
    },
  };
}
