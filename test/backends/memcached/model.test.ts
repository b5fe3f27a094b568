import { MemcachedCache } from 'cachewright';
import { stopClock } from '../../support/clock';
import { describeModel } from '../model';
import { describeTopologies, locationOf } from './topologies';

const clock = stopClock();
const CALLS = 20_000;

describeTopologies((_topology, servers) => {
  describeModel(
    'MemcachedCache',
    (params) => new MemcachedCache(locationOf(servers()), params),
    clock,
    {
      expiresAtInstant: true,
      incrKeepsTimeout: true,
      counters: 'naturals',
      hasOwnTime: true,
    },
    CALLS,
  );
});
