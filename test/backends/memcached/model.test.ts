import { stopClock } from '../../support/clock';
import { describeModel } from '../model';
import { describeTopologies, openAt } from './topologies';

const clock = stopClock();
const CALLS = 20_000;

describeTopologies((_topology, servers) => {
  describeModel(
    'MemcachedCache',
    (params) => openAt(servers(), params),
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
