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
    const setFrozen = cache.setFrozen.bind(cache);
    cache.setFrozen = (...args) => {
      const write = setFrozen(...args);
      writes.push(write);
      return write;
    };
  });
  afterEach(written);
  return written;
}
