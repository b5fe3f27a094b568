import { describeCacheContract } from '../contract';
import { describeTopologies, openAt } from './topologies';

describeTopologies((_topology, servers) => {
  describeCacheContract('MemcachedCache', (params) => openAt(servers(), params), {
    fractionalTimeouts: false,
    fractionalDeltas: false,
    negativeCounters: false,
    deleteReportsExpired: false,
    culling: 'ignored',
    keyFaults: 'throw',
  });
});
