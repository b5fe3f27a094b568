import { type CacheParams, DummyCache, FileBasedCache, LocMemCache } from 'cachewright';
import { tempDirectories } from '../support/temp-directory';
import { describeFills } from './fills';
import { describeTagged } from './tagged';

const makeDirectory = tempDirectories();
let directory: string;
beforeEach(() => {
  directory = makeDirectory();
});

const local = (params?: CacheParams) => new LocMemCache('made', params);
const files = (params?: CacheParams) => new FileBasedCache(directory, params);

describeTagged('local memory', local);
describeFills('local memory', local);
describeTagged('files', files, { knowsSoft: false });
describeFills('files', files);

test('a cache that keeps nothing takes tags', async () => {
  const cache = new DummyCache();
  await cache.set('key', 'value', 60, { tags: ['tag'] });
  await cache.invalidateTags(['tag']);
  const made = await Promise.all(
    [1, 2].map((value) => cache.getOrSet('key', () => value, 60, { tags: ['tag'] })),
  );
  expect(made).toEqual([1, 1]);
});
