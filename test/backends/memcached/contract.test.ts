import { MemcachedCache } from 'cachewright';
import { describeCacheContract } from '../contract';
import { describeTopologies, locationOf } from './topologies';

describeTopologies((_topology, servers) => {
  describeCacheContract(
    'MemcachedCache',
    (params) => new MemcachedCache(locationOf(servers()), params),
    {
      fractionalTimeouts: false,
      fractionalDeltas: false,
      negativeCounters: false,
      deleteReportsExpired: false,
      culling: 'ignored',
      keyFaults: 'throw',
    },
  );
});
