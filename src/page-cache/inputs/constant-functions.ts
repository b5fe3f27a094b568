import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';

/** What is known of a function that was met at a place. */
interface Met {
  /** Closures hold requests, so functions are not kept alive. */
  readonly fn: WeakRef<object>;
  readonly name: string;
}

const lastMet = new LRUCache<string, Met>({ max: 2000 });
/** Places where each request had another function. */
const closures = new LRUCache<string, true>({ max: 2000 });

let count = 0;
const PROCESS = randomBytes(6).toString('base64url');

/**
 * Names a function, if it is a constant of the program. The first function that is met at a place may be
 * one: its name is unique to this function of this process, so that a page which looked at it is only
 * given to requests that have the same one.
 *
 * @param place - The name of the input, and the path to the function inside it.
 * @returns `undefined` if each request has another function there.
 */
export function meetFunction(place: string, fn: object): string | undefined {
  if (closures.has(place)) return undefined;
  const last = lastMet.get(place);
  if (last?.fn.deref() === fn) return last.name;
  if (last !== undefined) {
    closures.set(place, true);
    return undefined;
  }
  count += 1;
  const name = `${PROCESS}${count}`;
  lastMet.set(place, { fn: new WeakRef(fn), name });
  return name;
}
