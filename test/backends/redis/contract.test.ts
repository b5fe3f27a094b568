import { setTimeout as delay } from 'node:timers/promises';
import { advanceRedis } from '../../support/redis-clock';
import { describeCacheContract } from '../contract';
import { ALL_TOPOLOGIES, describeTopologies, openAt } from './topologies';

describeTopologies(ALL_TOPOLOGIES, (name, place) => {
  describeCacheContract(`RedisCache on ${name}`, (params) => openAt(place(), params), {
    advance: (seconds) => {
      const { masters } = place();
      return masters === undefined ? delay(seconds * 1000) : advanceRedis(masters, seconds);
    },
    fractionalTimeouts: false,
    fractionalDeltas: false,
    deleteReportsExpired: false,
    clears: 'prefix',
    culling: 'ignored',
  });
});
