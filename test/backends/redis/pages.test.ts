import { describePages } from '../../page-cache/pages';
import { UNHURRIED } from '../../support/unhurried';
import { ALL_TOPOLOGIES, describeTopologies } from './topologies';

describeTopologies(ALL_TOPOLOGIES, (name, place) => {
  describePages(`Redis, ${name}`, () => {
    const { location, options } = place();
    return { backend: 'redis', location, options: { ...UNHURRIED, ...options } };
  });
});
