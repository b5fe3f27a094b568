import { LRUCache } from 'lru-cache';

/** The function that was last met at each place. Closures hold requests, so they are not kept alive. */
const lastMet = new LRUCache<string, WeakRef<object>>({ max: 2000 });

/**
 * How a function relates to earlier requests: `constant` was met at the same place before; `first` is
 * the first one there, so that nothing is known yet; a `closure` is made for each request.
 */
export type FunctionKind = 'constant' | 'first' | 'closure';

/** @param place - The name of the input, and the path to the function inside it. */
export function meetFunction(place: string, fn: object): FunctionKind {
  const last = lastMet.get(place);
  if (last?.deref() === fn) return 'constant';
  lastMet.set(place, new WeakRef(fn));
  return last === undefined ? 'first' : 'closure';
}
