import { DatabaseCache, FileBasedCache, MemcachedCache, RedisCache } from 'cachewright';
import type { BaseCache } from '../../src/cache/base-cache';
import { describeWithServer, startMemcached, startRedis } from '../support/servers';
import { tempDirectories } from '../support/temp-directory';
import { describeEachDatabase } from '../support/test-databases';
import { UNHURRIED, UNHURRIED_MEMCACHED } from '../support/unhurried';
import { explore, type Fault } from './tags-model';

/** `PURGE_MODEL_RUNS=100000` looks at as many interleavings on Redis. */
const RUNS = Number(process.env.PURGE_MODEL_RUNS ?? 3000);

const DAY_MS = 24 * 3600 * 1000;

/** The model of `tags-model.test.ts`, with counters in real stores. */
function describeRaces(runs: number, open: () => BaseCache): void {
  let caches: BaseCache[];
  beforeEach(() => {
    caches = [open(), open(), open()];
  });
  afterEach(() => Promise.all(caches.map((cache) => cache.close())));

  test(
    `no read that began after a purge resolved is shown anything older, in ${runs} interleavings`,
    async () => {
      const { seed, counts, violation } = await explore(caches, runs);
      expect({ seed, violation }).toEqual({ seed: runs, violation: undefined });
      const { stale, ...others } = counts;
      for (const [event, count] of Object.entries(others)) {
        expect([event, count > runs / 100]).toEqual([event, true]);
      }
      expect(stale > runs / 100).toBe(caches[0]!.countsAtomically);
    },
    DAY_MS,
  );

  test.each<Fault>(['noted at the end', 'late tags unchecked'])(
    'a fault is found: %s',
    async (fault) => {
      const { violation } = await explore(caches, 20_000, { fault });
      expect(violation).toMatch(/^(valid|stale): version \d+ of item \d, purged for version \d+$/);
    },
  );
}

describeWithServer('redis', 'purges on Redis', () => {
  let server: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());
  describeRaces(RUNS, () => new RedisCache(server.url, { options: UNHURRIED }));
});

describeWithServer('memcached', 'purges on Memcached', () => {
  let server: Awaited<ReturnType<typeof startMemcached>>;
  beforeAll(async () => {
    server = await startMemcached();
  });
  afterAll(() => server.stop());
  describeRaces(RUNS, () => new MemcachedCache(server.url, { options: UNHURRIED_MEMCACHED }));
});

describeEachDatabase('Purges', (database) => {
  let table: string;
  beforeAll(async () => {
    table = await database.createTable();
  });
  const options = () => ({ ...UNHURRIED, database: database.url, maxEntries: 1_000_000 });
  describeRaces(300, () => new DatabaseCache(table, { options: options() }));
});

describe('purges in files', () => {
  const makeDirectory = tempDirectories();
  let directory: string;
  beforeAll(() => {
    directory = makeDirectory();
  });
  describeRaces(300, () => new FileBasedCache(directory, { options: { maxEntries: 1_000_000 } }));
});
