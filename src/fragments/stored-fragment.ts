import type { BaseCache } from '../cache/base-cache';
import type { Version } from '../cache/keys';
import { warnSeldom } from '../cache/warn-seldom';
import { InvalidCacheKeyError } from '../errors';
import { RenderFailure } from './render-failure';

/**
 * How long a fragment waits for its cache, or for another request that renders it, before the page
 * goes on without them.
 */
const WAIT_MS = 10_000;

/** A fragment as it is stored. */
export interface Fragment {
  readonly html: string;
  /** Its own tags, and those of the fragments in it. */
  readonly tags: readonly string[];
  /** Epoch milliseconds; `null`: never. */
  readonly expiresAt: number | null;
}

/** Where a fragment is stored, and for how long. */
export interface FragmentPlace {
  readonly cache: BaseCache;
  readonly key: string;
  readonly version: Version | undefined;
  readonly seconds: number | null;
}

/**
 * The fragment that is stored; else made, by one of those who ask at the time, and stored.
 *
 * @returns `undefined` if it was neither found nor could be made and stored within some time, because
 *   the cache fails or another takes long.
 * @throws {@link InvalidCacheKeyError} If the backend cannot have its key; the {@link RenderFailure}
 *   of whoever made it.
 */
export async function storedFragment(
  place: FragmentPlace,
  make: () => Promise<Fragment>,
): Promise<Fragment | undefined> {
  const { cache, key, version, seconds } = place;
  const { keepsTags } = cache;
  let making: Promise<Fragment> | undefined;
  let isLate = false;
  let isMade = false;
  const run = async (): Promise<Fragment | undefined> => {
    // The page goes on with a fragment of its own: it may be gone, or be what would be written into.
    if (isLate) return undefined;
    making = make();
    const made = await making;
    isMade = true;
    // Where entries have no tags, it would outlive the purge of its own.
    return keepsTags || made.tags.length === 0 ? made : undefined;
  };
  const tags = (made: Fragment | undefined): readonly string[] => made?.tags ?? [];
  try {
    const finding = cache.getOrSet(key, run, seconds, {
      version,
      // It may be about to be stored in something else. Nor could it be made anew later, when the page
      // with all that it is made of is gone.
      mustBeCurrent: true,
      ...(keepsTags && { tags }),
    });
    const found = await unlessLate(finding, () => {
      isLate = making === undefined;
      return isLate || isMade;
    });
    if (isFragment(found)) return found;
    // Whatever it is, it is in the way.
    if (found !== undefined && making === undefined) {
      await unlessLate(cache.delete(key, { version }), () => true);
    }
  } catch (error) {
    rethrowUnlessCacheFailed(error);
  }
  return making;
}

/**
 * {@link storedFragment} for a place where there is no waiting.
 *
 * @param onUncached - Called if the cache cannot answer at once.
 */
export function storedFragmentAtOnce(
  { cache, key, version, seconds }: FragmentPlace,
  make: () => Fragment,
  onUncached: () => void,
): Fragment | undefined {
  let made: Fragment | undefined;
  const run = (): Fragment => {
    made = make();
    return made;
  };
  try {
    const tags = (value: Fragment) => value.tags;
    const found = cache.getOrSetAtOnce(key, run, seconds, { version, tags });
    if (found === undefined) onUncached();
    else if (isFragment(found)) return found;
    // Whatever it is, it is in the way.
    else cache.delete(key, { version }).catch(rethrowUnlessCacheFailed);
  } catch (error) {
    rethrowUnlessCacheFailed(error);
  }
  return made;
}

/** Warns of a cache that fails. @throws what is no failure of the cache. */
function rethrowUnlessCacheFailed(error: unknown): void {
  if (error instanceof RenderFailure || error instanceof InvalidCacheKeyError) throw error;
  const reason = error instanceof Error ? error.message : String(error);
  warnSeldom('fragment', `Fragments are rendered each time, as their cache fails: ${reason}`, {
    type: 'CacheFragmentWarning',
    code: 'CACHEWRIGHT_FRAGMENT',
  });
}

/** What `finding` comes to, or `undefined` as soon as it has taken some time and `isToEnd`. */
function unlessLate<T>(finding: Promise<T>, isToEnd: () => boolean): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    // Again and again: what takes long at first may be the rendering, and then the cache.
    const timer = setInterval(() => {
      if (isToEnd()) resolve(undefined);
    }, WAIT_MS);
    // Whoever waits has a client, and without one there is nothing to stay alive for.
    timer.unref();
    finding.finally(() => clearInterval(timer)).then(resolve, reject);
  });
}

function isFragment(found: unknown): found is Fragment {
  const { html, tags, expiresAt } = (found ?? {}) as Partial<Fragment>;
  const isTimed = expiresAt === null || typeof expiresAt === 'number';
  return typeof html === 'string' && Array.isArray(tags) && isTimed;
}
