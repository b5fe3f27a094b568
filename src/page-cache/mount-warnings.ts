import type { ServerResponse } from 'node:http';
import type { Response } from '../headers/middleware';

/** What was found out about a place where `updateCache` is mounted. */
export interface MountedPlace {
  /** Whether `fetchFromCache` has met a request of it. */
  hasLookedUp: boolean;
  /** Pages that were answered without it. */
  unasked: number;
  /** The response that was counted last. */
  last?: WeakRef<ServerResponse>;
}

/** Pages after which nobody can be said to answer by chance before `fetchFromCache`. */
const UNASKED = 3;

/** Warns once if pages are answered and `fetchFromCache` never sees a request. */
export function noteUnasked(place: MountedPlace | undefined, res: ServerResponse): void {
  if (place === undefined || place.hasLookedUp || res.statusCode !== 200) return;
  // It is asked for the head and for each part of the body.
  if (place.last?.deref() === res) return;
  place.last = new WeakRef(res);
  place.unasked += 1;
  if (place.unasked !== UNASKED) return;
  warn(
    'updateCache() has seen pages, but no fetchFromCache() has looked them up: nothing is cached. Mount fetchFromCache() after all other middleware, before the routes.',
  );
}

const late = new WeakSet<object>();

/** Warns once for each `updateCache` that meets a response which was begun already. */
export function warnIfBegun(place: object, response: Response): void {
  if (!response.headersSent || late.has(place)) return;
  late.add(place);
  warn(
    'updateCache() met a response whose head was sent already, which it cannot store. Mount updateCache() before everything else.',
  );
}

function warn(message: string): void {
  process.emitWarning(message, { type: 'PageCacheWarning', code: 'CACHEWRIGHT_ORDER' });
}
