import type { ByteCache } from './backends';

/**
 * Waits until the page that a client has just received is stored. A response is complete for its
 * client a moment before the cache has written it.
 */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for `count` writes to have been asked of `cache`, and for the last to be done. */
export async function written(cache: ByteCache, count: number): Promise<void> {
  while (cache.tally.writes < count) await new Promise((resolve) => setImmediate(resolve));
  await settled();
}
