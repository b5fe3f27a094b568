import type { BaseCache } from '../cache/base-cache';
import type { MaybePromise } from '../cache/maybe-promise';

/** Reads of one thing that came in this turn of the event loop, after the first. */
interface Gathering {
  read: Promise<unknown> | undefined;
}

const gatheringsOfBackends = new WeakMap<BaseCache, Map<string, Gathering>>();

/** A page's entry, as {@link BaseCache.getFrozen} has it; see {@link readTogether}. */
export function readFrozen(
  cache: BaseCache,
  key: string,
  deadlineMs: number,
  isLatest: boolean,
): MaybePromise<unknown> {
  // Its own memory is as near as can be.
  if (!cache.isShared) return cache.getFrozen(key, deadlineMs, isLatest);
  const atHand = isLatest ? undefined : cache.frozenAtHand(key);
  if (atHand !== undefined) return atHand;
  const name = `page ${deadlineMs} ${isLatest} ${key}`;
  return readTogether(cache, name, () => cache.getFrozen(key, deadlineMs, isLatest));
}

/**
 * What `read` comes to. From backends that processes share, what is asked for by one name in one
 * turn of the event loop is read twice at most: at once for the first who asks, and at the end of
 * the turn for all others. So hundreds of visitors who come at once do not take all connections,
 * and yet nobody is given what was read before he came.
 */
export function readTogether<T>(
  cache: BaseCache,
  name: string,
  read: () => MaybePromise<T>,
): MaybePromise<T> {
  if (!cache.isShared) return read();
  let gatherings = gatheringsOfBackends.get(cache);
  if (gatherings === undefined) {
    gatherings = new Map();
    gatheringsOfBackends.set(cache, gatherings);
  }
  const gathering = gatherings.get(name);
  if (gathering === undefined) {
    gatherings.set(name, { read: undefined });
    setImmediate(() => gatherings.delete(name));
    return read();
  }
  // Forgotten in the same turn, and begun after that.
  gathering.read ??= new Promise<void>((resolve) => setImmediate(resolve)).then(read);
  return gathering.read as Promise<T>;
}
