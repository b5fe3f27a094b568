import type { CacheParams } from 'cachewright';
import { describeFills } from '../fills';
import { describeTagged } from '../tagged';
import { describeTopologies, openAt } from './topologies';

const TOPOLOGIES = ['one server', 'a leader and two replicas', 'a cluster of three masters'];

describeTopologies(TOPOLOGIES, (name, place) => {
  const open = (params?: CacheParams) => openAt(place(), params ?? {});
  describeTagged(`Redis, ${name}`, open);
  describeFills(`Redis, ${name}`, open);
});
