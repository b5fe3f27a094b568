import { type PageProcess, startPageProcess } from '../support/page-processes';
import { describeWithServer, startRedisCluster, startSentinel } from '../support/servers';
import { askRedis } from '../support/servers/redis-client';
import { type Sample, steadyLoad } from '../support/steady-load';
import { UNHURRIED } from '../support/unhurried';

const PER_SECOND = 200;

/** Less than Jest's, so that it is told what was amiss. */
const PATIENCE_MS = 90_000;

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function failed(samples: readonly Sample[]): readonly Sample[] {
  expect(samples.length).toBeGreaterThan(PER_SECOND / 2);
  return samples.filter(({ error }) => error !== undefined);
}

/** Waits for a page that is stored, and found again. */
async function untilHit(site: PageProcess, path: string): Promise<void> {
  const lateAt = performance.now() + PATIENCE_MS;
  for (let i = 0; performance.now() < lateAt; i += 1) {
    await site.get(`/${path}-${i}`);
    await pass(50);
    if (await site.isHit(`/${path}-${i}`)) return;
  }
  throw new Error(`It has not recovered: ${(await site.tally()).failures.slice(-5).join('; ')}`);
}

describeWithServer('redis', 'a site on Redis with Sentinels', () => {
  test('answers every request while its leader dies and a replica takes over', async () => {
    const sentinel = await startSentinel({ replicas: 2, downAfterMs: 500 });
    const site = await startPageProcess({
      cache: {
        backend: 'redis',
        options: {
          sentinels: sentinel.sentinels.map(({ host, port }) => ({ host, port })),
          name: sentinel.name,
        },
      } as never,
      handlerMs: 5,
    });
    try {
      await untilHit(site, 'before');
      const load = steadyLoad(PER_SECOND, (i) => site.get(`/steady-${i % 50}`));
      await pass(500);
      await sentinel.leader.kill();
      await untilHit(site, 'after');
      expect(failed(await load.stop())).toEqual([]);
    } finally {
      expect(await site.close()).toBe(0);
      await sentinel.stop();
    }
  });
});

describeWithServer('redis', 'a site on a Redis cluster', () => {
  test('answers every request while slots move from one node to another', async () => {
    const cluster = await startRedisCluster();
    const site = await startPageProcess({
      cache: {
        backend: 'redis',
        location: cluster.urls,
        options: { cluster: true },
      } as never,
      handlerMs: 5,
      // A pause of the machine is no reason to give up the cache.
      options: UNHURRIED,
    });
    try {
      await untilHit(site, 'before');
      const load = steadyLoad(PER_SECOND, (i) => site.get(`/steady-${i % 500}`));
      await pass(500);
      const [from, to] = cluster.nodes;
      for (let slot = 0; slot < 400; slot += 1) await cluster.moveSlot(slot, from!, to!);
      await pass(500);
      expect(failed(await load.stop())).toEqual([]);
      await untilHit(site, 'after');
      // Nor was the cache given up meanwhile.
      const { failures } = await site.tally();
      expect(failures.filter((failure) => failure.includes('left alone'))).toEqual([]);
    } finally {
      expect(await site.close()).toBe(0);
      await cluster.stop();
    }
  });

  test('answers every request while a node is frozen, and caches what the others hold', async () => {
    const cluster = await startRedisCluster({
      config: { 'cluster-require-full-coverage': 'no' },
    });
    const site = await startPageProcess({
      cache: { backend: 'redis', location: cluster.urls, options: { cluster: true } } as never,
      handlerMs: 5,
      // The others answer in that time, however busy the machine is.
      options: { readTimeoutMs: 1000, writeTimeoutMs: 1000 },
    });
    try {
      await untilHit(site, 'before');
      const load = steadyLoad(PER_SECOND, (i) => site.get(`/steady-${i % 50}`));
      // Those of the counter of everything, and of the clock of purges, have a part in each page.
      const needed = new Set<number>();
      for (const name of ['all', 'clock']) {
        const key = `:1:cachewright.tag.${name}`;
        const slot = Number(await askRedis(cluster.nodes[0]!, 'CLUSTER', 'KEYSLOT', key));
        needed.add(Math.floor((slot * 3) / 16_384));
      }
      const frozen = cluster.nodes.find((_node, i) => !needed.has(i))!;
      frozen.freeze();
      await pass(1000);
      await untilHit(site, 'meanwhile');
      frozen.thaw();
      await pass(1500);
      expect(failed(await load.stop())).toEqual([]);
    } finally {
      expect(await site.close()).toBe(0);
      await cluster.stop();
    }
  });
});
