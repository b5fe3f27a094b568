import type { Request, Response } from '../headers/middleware';

/**
 * Whether V8 finds properties of Express's requests and responses slowly. Express replaces their
 * prototypes; in V8 before 13 (Node 20 and 22) each property that is added after that gives the object
 * a shape of its own, so that no inline cache ever holds for it, in Node's own code either.
 */
const SHAPES_ARE_UNIQUE = Number.parseInt(process.versions.v8, 10) < 13;

const SHARED = Symbol('cachewright.shape');
const REMOVED = Symbol('cachewright.removed');

interface Shaped {
  readonly app?: unknown;
  [SHARED]?: true;
  [REMOVED]?: true;
}

/**
 * Has the objects of one request share their shapes with those of all others, where they would not.
 * Objects from which a property was removed do: as hash tables, in which a property is found in some
 * nanoseconds, where a shape that was never met costs a microsecond each time.
 */
export function shareShapes(req: Request, res: Response): void {
  // Only Express's have one.
  if (!SHAPES_ARE_UNIQUE || (req as Shaped).app === undefined) return;
  if ((req as Shaped)[SHARED]) return;
  share(req as Shaped);
  share(res as Shaped);
}

function share(object: Shaped): void {
  object[REMOVED] = true;
  // Removing what was added last would but undo it.
  object[SHARED] = true;
  delete object[REMOVED];
}
