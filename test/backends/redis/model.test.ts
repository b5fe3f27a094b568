import { stopClock } from '../../support/clock';
import { describeModel } from '../model';
import { describeTopologies, openAt, WIRE_TOPOLOGIES } from './topologies';

const clock = stopClock();
const CALLS = 20_000;

describeTopologies(WIRE_TOPOLOGIES, (_name, place) => {
  describeModel(
    'RedisCache',
    (params) => openAt(place(), params),
    clock,
    {
      expiresAtInstant: true,
      incrKeepsTimeout: true,
      counters: 'integers',
      hasOwnTime: true,
    },
    CALLS,
  );
});
