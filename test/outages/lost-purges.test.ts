import { type CacheSettings, caches } from 'cachewright';
import { eventually } from '../support/eventually';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { describeWithServer, type RedisSentinel, startSentinel } from '../support/servers';
import { askRedis } from '../support/servers/redis-client';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

const COUNTER = ':1:cachewright.tag.t.product-7';
const HASTY = { readTimeoutMs: 500, writeTimeoutMs: 500 };

/** A site that shows one value, and what a visitor sees of it. */
function site() {
  const data = { value: 'v1' };
  const { app } = pageApp((res) => res.end(data.value), {
    options: { ...HASTY, tags: () => ['product-7'], onError: () => {} },
  });
  const see = async () => {
    const { text, headers } = await visit(app, '/page').expect(200);
    await settled();
    return { text, isHit: headers.age !== undefined };
  };
  const untilHit = () =>
    eventually(async () => {
      const seen = await see();
      // Wherever it comes from, it is not of old.
      if (seen.text !== data.value) return seen;
      if (!seen.isHit) throw new Error('It is not stored yet.');
      return seen;
    });
  return { data, see, untilHit };
}

describeWithServer('redis', 'a purge that its leader takes to the grave', () => {
  let sentinel: RedisSentinel;
  beforeAll(async () => {
    sentinel = await startSentinel();
  });
  afterAll(async () => {
    await caches.closeAll();
    await sentinel.stop();
  });
  freshCaches({
    get default(): CacheSettings {
      const { sentinels, name } = sentinel;
      const options = {
        ...HASTY,
        sentinels: sentinels.map(({ host, port }) => ({ host, port })),
        name,
      };
      return { backend: 'redis', options };
    },
  });

  test('holds on the replica that takes over, although it has never heard of it', async () => {
    const { leader, replicas } = sentinel;
    const [replica] = replicas;
    const { data, untilHit } = site();
    expect(await untilHit()).toEqual({ text: 'v1', isHit: true });
    const counter = await askRedis(leader, 'GET', COUNTER);
    await eventually(async () => {
      expect(await askRedis(replica!, 'GET', COUNTER)).toBe(counter);
      expect(await askRedis(replica!, 'KEYS', '*cache_page*')).toEqual([expect.any(String)]);
    });
    replica!.freeze();
    await askRedis(leader, 'CLIENT', 'KILL', 'TYPE', 'replica');
    data.value = 'v2';
    await caches.default.invalidateTags(['product-7']);
    expect(await askRedis(leader, 'GET', COUNTER)).not.toBe(counter);
    await leader.kill();
    replica!.thaw();
    // As soon as it answers the Sentinel again.
    await eventually(() => askRedis(sentinel.sentinels[0]!, 'SENTINEL', 'FAILOVER', sentinel.name));

    expect(await untilHit()).toEqual({ text: 'v2', isHit: true });
    // It was found on the replica, where the purge is missing.
    expect(String(await askRedis(replica!, 'INFO', 'replication'))).toContain('role:master');
    expect(await askRedis(replica!, 'GET', COUNTER)).toBe(counter);
  });
});
