import { type BaseCache, TieredCache } from 'cachewright';
import { hurry } from '../../support/hurry';
import { advanceRedis } from '../../support/redis-clock';
import { describeWithServer, type MemcachedServer, startMemcached } from '../../support/servers';
import { describeCacheContract } from '../contract';
import { openAt as openMemcached } from '../memcached/topologies';
import { describeTopologies as describeRedis, openAt as openRedis } from '../redis/topologies';

/** Short, for many tests wait for it. */
const options = { trustMs: 20 };

/**
 * Who writes another's keys by a key function that looks like theirs does so past their local tier.
 */
function over(shared: BaseCache): BaseCache {
  return shared.makeKey('k') === 'k' ? shared : new TieredCache(shared, { options }, true);
}

describeRedis(['a cluster of three masters'], (name, place) => {
  const time = hurry();
  describeCacheContract(
    `TieredCache over Redis, ${name}`,
    (params) => over(openRedis(place(), params)),
    {
      advance: async (seconds) => {
        await advanceRedis(place().masters, seconds);
        time.advance(seconds);
      },
      fractionalTimeouts: false,
      fractionalDeltas: false,
      deleteReportsExpired: false,
      clears: 'prefix',
      culling: 'ignored',
    },
  );
});

describeWithServer('memcached', 'A local tier over Memcached', () => {
  let server: MemcachedServer;
  beforeAll(async () => {
    server = await startMemcached();
  });
  afterAll(() => server.stop());
  describeCacheContract('TieredCache', (params) => over(openMemcached([server], params)), {
    fractionalTimeouts: false,
    fractionalDeltas: false,
    negativeCounters: false,
    deleteReportsExpired: false,
    culling: 'ignored',
    keyFaults: 'throw',
  });
});
