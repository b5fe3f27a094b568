import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';

/** What is known of the functions that were met at one place. */
interface Met {
  /** The last ones. Closures hold requests, so functions are not kept alive. */
  readonly functions: { readonly fn: WeakRef<object>; readonly name: string }[];
  /** How many in a row were never met before. */
  strangers: number;
}

const places = new LRUCache<string, Met>({ max: 2000 });

/** Functions in a row, none of them met before, after which each request is taken to have its own. */
const CLOSURES = 8;

let count = 0;
const PROCESS = randomBytes(6).toString('base64url');

/**
 * Names a function. The name is unique to this function of this process, so that a page which looked at
 * it is only given to requests that have the same one.
 *
 * @param place - The name of the input, and the path to the function inside it.
 * @returns `undefined` if each request has another function there.
 */
export function meetFunction(place: string, fn: object): string | undefined {
  let met = places.get(place);
  if (met === undefined) {
    met = { functions: [], strangers: 0 };
    places.set(place, met);
  }
  const known = met.functions.find((each) => each.fn.deref() === fn);
  if (known !== undefined) {
    met.strangers = 0;
    return known.name;
  }
  met.strangers += 1;
  count += 1;
  const name = `${PROCESS}${count}`;
  met.functions.push({ fn: new WeakRef(fn), name });
  if (met.functions.length > CLOSURES) met.functions.shift();
  return met.strangers > CLOSURES ? undefined : name;
}
