// Garbage under a tag counter, and leases that nobody gives back, in a Redis that others write to.
import { caches, configureCaches, configurePageCache } from 'cachewright';
import { Redis } from 'ioredis';
import { openSite, type Place, row, type Site, useRealApps, Visitor } from '../real-apps/support';
import { eventually } from '../support/eventually';
import { describeWithServer, type RedisServer, startRedis } from '../support/servers';
import { UNHURRIED } from '../support/unhurried';

const MOUNTS = { mounts: ['pair', 'page', 'app'] } as const;

const WAIT_MS = 300;

/** Ways to leave something under a key. */
const GARBAGE: Record<string, (client: Redis, key: string) => Promise<unknown>> = {
  'text that is no number': (client, key) => client.set(key, 'garbage'),
  'a number that is not whole': (client, key) => client.set(key, '1.5e300'),
  'a value of another type': async (client, key) => {
    await client.del(key);
    await client.lpush(key, 'garbage');
  },
  nothing: (client, key) => client.set(key, ''),
};

describeWithServer('redis', '42 what an attacker leaves in Redis', () => {
  let server: RedisServer;
  let client: Redis;

  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url);
  });
  useRealApps();
  beforeEach(async () => {
    configureCaches({ default: { backend: 'redis', location: server.url, options: UNHURRIED } });
    configurePageCache({ ...UNHURRIED, waitMs: WAIT_MS });
    await client.flushall();
  });
  afterEach(() => caches.closeAll());
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  function openNews(place: Place): Promise<Site> {
    return openSite({
      ...place,
      options: { tags: () => ['news'] },
      routes: { 'GET /news': () => 'news' },
    });
  }

  /** What several strangers get, and what the slowest of them waited, in milliseconds. */
  async function visits(site: Site, count: number): Promise<{ texts: Set<string>; waits: number }> {
    const texts = new Set<string>();
    let waits = 0;
    for (let i = 0; i < count; i += 1) {
      const startedAt = performance.now();
      texts.add(await new Visitor(site).text('/news'));
      if (performance.now() - startedAt > WAIT_MS - 20) waits += 1;
    }
    return { texts, waits };
  }

  /** Until a visitor gets a stored page; the store is written after the answer. */
  async function untilHit(site: Site): Promise<void> {
    await eventually(async () => {
      expect((await new Visitor(site).get('/news')).outcome).toMatch(/; hit/);
    });
  }

  async function keys(pattern: string): Promise<string[]> {
    const found = await client.keys(pattern);
    expect(found).not.toEqual([]);
    return found;
  }

  for (const [name, leave] of Object.entries(GARBAGE)) {
    row(`42 ${name} under every tag counter: healed`, MOUNTS, async (place) => {
      const site = await openNews(place);
      await untilHit(site);
      for (const key of await keys('*cachewright.tag.*')) await leave(client, key);
      expect((await visits(site, 3)).texts).toEqual(new Set(['news']));
      await untilHit(site);
      // And purges reach what is stored from then on.
      const before = site.renders['/news'];
      await caches.default.invalidateTags(['news']);
      await visits(site, 1);
      expect(site.renders['/news']).toBe(before! + 1);
      await untilHit(site);
    });

    for (const mode of ['hard', 'soft'] as const) {
      row(`42 ${name} under every tag counter: a ${mode} purge works`, MOUNTS, async (place) => {
        const site = await openNews(place);
        await untilHit(site);
        const before = site.renders['/news']!;
        for (const key of await keys('*cachewright.tag.*')) await leave(client, key);
        await caches.default.invalidateTags(['news'], { mode });
        await visits(site, 1);
        expect(site.renders['/news']).toBeGreaterThan(before);
        await untilHit(site);
      });
    }
  }

  /** Leases that an attacker can leave. */
  const LEASES: Record<string, (key: string) => Promise<unknown>> = {
    'a lease without end': (key) => client.set(key, 'mallory'),
    'a lease of another type': (key) => client.lpush(key, 'mallory'),
  };

  for (const [name, leave] of Object.entries(LEASES)) {
    row(`42 ${name}: one visitor waits, once`, MOUNTS, async (place) => {
      const site = await openNews(place);
      await untilHit(site);
      const [page] = await keys('*cache_page*');
      await client.del(page!);
      await leave(`${page}.lease`);
      const first = await visits(site, 4);
      expect(first.texts).toEqual(new Set(['news']));
      expect(first.waits).toBeLessThanOrEqual(1);
      await untilHit(site);
      // Once the stored page has expired, nobody waits again.
      await eventually(async () => {
        const isText = (await client.type(`${page}.lease`)) === 'string';
        expect(isText).toBe(false);
      });
      await client.del(page!);
      expect((await visits(site, 4)).waits).toBe(0);
      await untilHit(site);
    });
  }
});
