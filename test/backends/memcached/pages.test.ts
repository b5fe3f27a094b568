import { describePages } from '../../page-cache/pages';
import { describeTopologies, locationOf } from './topologies';

describeTopologies((topology, servers) => {
  describePages(`Memcached, ${topology}`, () => ({
    backend: 'memcached',
    location: locationOf(servers()),
  }));

  describePages(`Memcached, ${topology}, in parts`, () => ({
    backend: 'memcached',
    location: locationOf(servers()),
    // Less than any page takes.
    options: { maxItemBytes: 50 },
  }));
});
