import { type CacheSettings, caches, configureCaches, configurePageCache } from 'cachewright';
import { settled } from './settled';
import { UNHURRIED } from './unhurried';

/** Before each test: these aliases, emptied, and the page cache with its default settings, but
 * for its deadlines. */
export function freshCaches(settings: Record<string, CacheSettings> = {}): void {
  beforeEach(async () => {
    // What the test before was still writing.
    await settled();
    configureCaches({ default: {}, ...settings });
    configurePageCache(UNHURRIED);
    await Promise.all(caches.all().map((cache) => cache.clear()));
  });
}
