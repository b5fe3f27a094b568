import { type CacheParams, FileBasedCache, TieredCache } from 'cachewright';
import { tempDirectories } from '../../support/temp-directory';
import { describeFills } from '../fills';
import { describeTopologies, openAt } from '../redis/topologies';
import { describeTagged } from '../tagged';

/** Short, for where no messages go each change waits for it. */
const options = { trustMs: 100 };

describeTopologies(['one server', 'a leader and two replicas'], (name, place) => {
  const open = (params?: CacheParams) =>
    new TieredCache(openAt(place(), params ?? {}), { options }, true);
  describeTagged(`local tiers over Redis, ${name}`, open);
  describeFills(`local tiers over Redis, ${name}`, open);
});

describe('over files', () => {
  const makeDirectory = tempDirectories();
  let directory: string;
  beforeEach(() => {
    directory = makeDirectory();
  });
  const open = (params?: CacheParams) =>
    new TieredCache(new FileBasedCache(directory, params), { options }, true);
  describeTagged('local tiers over files', open, { knowsSoft: false });
  describeFills('local tiers over files', open);
});
