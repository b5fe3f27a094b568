import { type BaseCache, caches } from 'cachewright';
import { settled } from './settled';

/**
 * Watches what is written into this alias, from the beginning of each test of the file, and lets
 * no test leave something to write to the next. Call it after `freshCaches()`.
 *
 * @returns Waits until all that was begun is written, however long the disk takes.
 */
export function watchWrites(alias: string): () => Promise<void> {
  let writes: unknown[] = [];
  const written = async (): Promise<void> => {
    for (let seen = -1; seen < writes.length; ) {
      seen = writes.length;
      await Promise.allSettled(writes);
      await settled();
    }
  };
  beforeEach(() => {
    writes = [];
    const cache = caches[alias] as BaseCache;
    /** Has all that a method comes to waited for: each leads on to the next. */
    function watch<A extends unknown[], R>(method: (...args: A) => R): (...args: A) => R {
      return (...args) => {
        const work = method(...args);
        writes.push(work);
        return work;
      };
    }
    cache.openFrozen = watch(cache.openFrozen.bind(cache));
    cache.tags.confirm = watch(cache.tags.confirm.bind(cache.tags));
    cache.setFrozen = watch(cache.setFrozen.bind(cache));
  });
  afterEach(written);
  return written;
}
