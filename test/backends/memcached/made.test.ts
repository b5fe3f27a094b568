import type { CacheParams } from 'cachewright';
import { describeFills } from '../fills';
import { describeTagged } from '../tagged';
import { describeTopologies, openAt } from './topologies';

describeTopologies((topology, servers) => {
  const open = (params?: CacheParams) => openAt(servers(), params ?? {});
  describeTagged(`Memcached, ${topology}`, open);
  describeFills(`Memcached, ${topology}`, open);
});
