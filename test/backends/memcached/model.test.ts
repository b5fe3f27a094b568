import { MemcachedCache } from 'cachewright';
import { stopClock } from '../../support/clock';
import { describeModel } from '../model';
import { describeTopologies } from './topologies';

const clock = stopClock();
const CALLS = 20_000;

describeTopologies((_topology, location) => {
  describeModel(
    'MemcachedCache',
    (params) => new MemcachedCache(location(), params),
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
