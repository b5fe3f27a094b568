import { describePages } from '../../page-cache/pages';
import { UNHURRIED_MEMCACHED } from '../../support/unhurried';
import { describeTopologies, locationOf } from './topologies';

describeTopologies((topology, servers) => {
  describePages(`Memcached, ${topology}`, () => ({
    backend: 'memcached',
    location: locationOf(servers()),
    options: UNHURRIED_MEMCACHED,
  }));

  describePages(`Memcached, ${topology}, in parts`, () => ({
    backend: 'memcached',
    location: locationOf(servers()),
    // Less than any page takes.
    options: { ...UNHURRIED_MEMCACHED, maxItemBytes: 50 },
  }));
});
