import { DummyCache } from '../backends/dummy';
import { LocMemCache } from '../backends/loc-mem';
import { BaseCache } from '../cache/base-cache';
import { caches } from '../caches';
import { UsageError } from './errors';

/**
 * The backend of an alias, if it is one whose entries other processes see.
 *
 * @param advice - What to do about local memory instead.
 * @throws UsageError if it is none.
 */
export function sharedCache(alias: string, advice: string): BaseCache {
  const cache = configuredCache(alias);
  if (cache instanceof LocMemCache) {
    throw new UsageError(
      `Cache "${alias}" is local memory, and that of this command has nobody's entries. ${advice}`,
    );
  }
  if (cache instanceof DummyCache) {
    throw new UsageError(`Cache "${alias}" is a dummy, which keeps nothing.`);
  }
  return cache;
}

function configuredCache(alias: string): BaseCache {
  try {
    const cache: unknown = caches[alias];
    if (cache instanceof BaseCache) return cache;
  } catch (error) {
    // One that is configured, but wrongly, was well named.
    if (alias in caches) throw error;
    throw new UsageError((error as Error).message, { cause: error });
  }
  throw new UsageError(`${JSON.stringify(alias)} cannot be the alias of a cache.`);
}
