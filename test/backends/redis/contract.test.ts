import { advanceRedis } from '../../support/redis-clock';
import { describeCacheContract } from '../contract';
import { ALL_TOPOLOGIES, describeTopologies, openAt } from './topologies';

describeTopologies(ALL_TOPOLOGIES, (name, place) => {
  describeCacheContract(`RedisCache on ${name}`, (params) => openAt(place(), params), {
    // On one arrangement time really passes.
    ...(name !== 'one server' && {
      advance: (seconds: number) => advanceRedis(place().masters, seconds),
    }),
    fractionalTimeouts: false,
    fractionalDeltas: false,
    deleteReportsExpired: false,
    clears: 'prefix',
    culling: 'ignored',
  });
});
