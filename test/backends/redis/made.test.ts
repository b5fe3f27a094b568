import type { CacheParams } from 'cachewright';
import { newHead } from '../../../src/cache/envelope';
import { nameOfRemoval } from '../../../src/cache/tag-names';
import { deferred } from '../../support/deferred';
import { eventually } from '../../support/eventually';
import { recordingProxy } from '../../support/recording-proxy';
import { redisCalls, resetCalls } from '../../support/redis-calls';
import { describeWithServer, type RedisServer, startRedis } from '../../support/servers';
import { askRedis } from '../../support/servers/redis-client';
import { describeFills } from '../fills';
import { describeTagged } from '../tagged';
import { describeTopologies, openAt } from './topologies';

const TOPOLOGIES = ['one server', 'a leader and two replicas', 'a cluster of three masters'];

describeTopologies(TOPOLOGIES, (name, place) => {
  const open = (params?: CacheParams) => openAt(place(), params ?? {});
  describeTagged(`Redis, ${name}`, open);
  describeFills(`Redis, ${name}`, open);

  test('deletePattern() takes what is being made', async () => {
    const [cache, other] = [open(), open()];
    const gate = deferred();
    const make = jest.fn(async () => {
      await gate.promise;
      return 'v1';
    });
    const first = cache.getOrSet('user:1', make);
    await eventually(() => expect(make).toHaveBeenCalled());
    await other.deletePattern('user:*');
    gate.resolve();
    expect(await first).toBe('v1');
    expect(await other.get('user:1')).toBeUndefined();
    await cache.clear();
    await Promise.all([cache.close(), other.close()]);
  });

  test('deletePattern() tells the pages being made, if it may be of pages', async () => {
    const [cache, other] = [open(), open()];
    const digest = 'd41d8cd98f00b204e9800998ecf8427e';
    const stem = 'views.decorators.cache.cache_page.';
    const page = `${stem}.GET.${digest}.${digest}`;
    const name = nameOfRemoval(page)!;
    for (const pattern of ['*', 'views.*', `${stem}site?.GET.*`]) {
      const noted = await cache.tags.note([name]);
      await other.deletePattern('user:*');
      await other.deletePattern('views.decorators.template.*');
      expect(await cache.tags.confirm(noted, [])).toBeDefined();
      await other.deletePattern(pattern);
      expect(await cache.tags.confirm(noted, [])).toBeUndefined();
    }
    await cache.clear();
    await Promise.all([cache.close(), other.close()]);
  });

  test('close() waits for what is made anew behind the scenes', async () => {
    const [cache, other] = [open(), open()];
    const gate = deferred();
    await cache.set('key', 'old', 600, { tags: ['tag'] });
    await cache.invalidateTags(['tag'], { mode: 'soft' });
    const make = jest.fn(async () => {
      await gate.promise;
      return 'new';
    });
    expect(await cache.getOrSet('key', make, 600, { tags: ['tag'] })).toBe('old');
    await eventually(() => expect(make).toHaveBeenCalled());
    let isClosed = false;
    const closed = cache.close().then(() => {
      isClosed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isClosed).toBe(false);
    gate.resolve();
    await closed;
    expect(await other.get('key')).toBe('new');
    await other.clear();
    await other.close();
  });

  test('ttl() knows what was purged, and what is being made', async () => {
    const cache = open();
    await cache.set('key', 'value', 600, { tags: ['tag'] });
    expect(await cache.ttl('key')).toBeGreaterThan(500);
    await cache.set('lasting', 'value', null, { tags: ['tag'] });
    expect(await cache.ttl('lasting')).toBeNull();
    await cache.invalidateTags(['tag']);
    expect(await cache.ttl('key')).toBeUndefined();
    expect(await cache.ttl('lasting')).toBeUndefined();
    expect(await cache.persist('lasting')).toBe(false);
    const left = await cache.getOrSet('made', () => cache.ttl('made').then(String));
    expect(left).toBe('undefined');
    await cache.clear();
    await cache.close();
  });
});

describeWithServer('redis', 'what entries with tags ask of Redis', () => {
  let server: RedisServer;
  let proxy: Awaited<ReturnType<typeof recordingProxy>>;
  let cache: ReturnType<typeof openAt>;

  beforeAll(async () => {
    server = await startRedis();
    proxy = await recordingProxy(server);
  });
  beforeEach(async () => {
    const options = { onFailure: () => {} };
    cache = openAt({ location: proxy.url, masters: [server], stop: async () => {} }, { options });
    await cache.set('warm', 1, 60, { tags: ['tag'] });
    // The server has the scripts from then on.
    await cache.getOrSet('warmed', 1);
  });
  afterEach(async () => {
    await cache.clear();
    await cache.close();
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  async function costOf(work: () => Promise<unknown>) {
    await resetCalls(server);
    proxy.reset();
    await work();
    const roundTrips = proxy.roundTrips();
    return { calls: await redisCalls(server), roundTrips };
  }

  test('a read asks for the counters at the same time, once its tags are known', async () => {
    const read = () => cache.get('warm');
    expect(await costOf(read)).toEqual({ calls: { get: 1, mget: 1 }, roundTrips: 2 });
    expect(await costOf(read)).toEqual({ calls: { get: 1, mget: 1 }, roundTrips: 1 });
  });

  test('getMany() asks once for the counters of all', async () => {
    const keys = Array.from({ length: 100 }, (_, i) => `key${i}`);
    for (const key of keys) await cache.set(key, key, 60, { tags: [`tag of ${key}`, 'tag'] });
    const cost = await costOf(async () => {
      expect(Object.keys(await cache.getMany(keys))).toHaveLength(100);
    });
    expect(cost).toEqual({ calls: { mget: 2 }, roundTrips: 2 });
  });

  test('getOrSet() takes one round trip more than to look, store and look', async () => {
    const cost = await costOf(() => cache.getOrSet('made', 'value', 60));
    const { evalsha, ...calls } = cost.calls;
    expect({ evalsha, calls: calls.get! > 0, roundTrips: cost.roundTrips }).toEqual({
      evalsha: 2,
      calls: true,
      roundTrips: 4,
    });
    const tagged = await costOf(() => cache.getOrSet('tagged', 'value', 60, { tags: ['tag'] }));
    // The counters: as it begins, as it ends, and as it is read.
    expect(tagged.roundTrips).toBe(6);
    expect((await costOf(() => cache.getOrSet('made', 'value', 60))).calls).toEqual({ get: 1 });
  });

  test('what looks like an envelope and is none is a miss, and stays', async () => {
    for (const bytes of ['\xc1CWT\x01', '\xc1CWT\x01 and much more than that']) {
      const foreign = Buffer.from(bytes, 'latin1');
      await askRedis(server, 'SET', ':1:foreign', foreign as never);
      expect(await cache.get('foreign')).toBeUndefined();
      expect(await cache.add('foreign', 'ours')).toBe(false);
      expect(await cache.getOrSet('foreign', 'ours')).toBe('ours');
      expect(await cache.getMany(['foreign'])).toEqual({});
      await expect(cache.incr('foreign')).rejects.toThrow();
    }
  });

  test('a list of somebody else is a miss, and stays', async () => {
    await askRedis(server, 'RPUSH', ':1:list', 'item');
    expect(await cache.add('list', 'ours')).toBe(false);
    expect(await cache.getOrSet('list', 'ours')).toBe('ours');
    expect(await cache.touch('list', 60)).toBe(true);
    expect(await askRedis(server, 'LLEN', ':1:list')).toBe(1);
    const gate = deferred();
    const make = jest.fn(async () => {
      await gate.promise;
      return 'v1';
    });
    const first = cache.getOrSet('turned', make);
    await eventually(() => expect(make).toHaveBeenCalled());
    await askRedis(server, 'DEL', ':1:turned');
    await askRedis(server, 'RPUSH', ':1:turned', 'item');
    gate.resolve();
    expect(await first).toBe('v1');
    expect(await askRedis(server, 'LLEN', ':1:turned')).toBe(1);
  });

  test('what is left of a process that died goes by itself', async () => {
    await cache.beginFill('left');
    expect(await askRedis(server, 'TTL', ':1:left')).toBeGreaterThan(3000);
    expect(await askRedis(server, 'TTL', ':1:left')).toBeLessThanOrEqual(3600);
    expect(await askRedis(server, 'STRLEN', ':1:left')).toBe(newHead().length);
  });
});
