import { MemcachedCache } from 'cachewright';
import { describeCacheContract } from '../contract';
import { describeTopologies } from './topologies';

describeTopologies((_topology, location) => {
  describeCacheContract('MemcachedCache', (params) => new MemcachedCache(location(), params), {
    fractionalTimeouts: false,
    fractionalDeltas: false,
    negativeCounters: false,
    deleteReportsExpired: false,
    culling: 'ignored',
    keyFaults: 'throw',
  });
});
