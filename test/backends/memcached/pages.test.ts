import { describePages } from '../../page-cache/pages';
import { describeTopologies } from './topologies';

describeTopologies((topology, location) => {
  describePages(`Memcached, ${topology}`, () => ({ backend: 'memcached', location: location() }));

  describePages(`Memcached, ${topology}, in parts`, () => ({
    backend: 'memcached',
    location: location(),
    // Less than any page takes.
    options: { maxItemBytes: 50 },
  }));
});
