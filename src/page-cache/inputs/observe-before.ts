import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Request, Response } from '../../headers/middleware';
import { type AddressWatcher, ignoreAddressReads, noteAddressReads } from './address-reads';
import { InputRecorder } from './input-recorder';
import { isReadForTarget } from './reader';
import { isParsedQuery, isStateKey } from './request-state';
import { type HeaderWatcher, observeHeaders, unobserved } from './watched-headers';

const OBSERVER = Symbol('cachewright.before');

interface Observed {
  [OBSERVER]?: SourceObserver;
}

/** Learns which headers the middleware before the look-up reads, as the request state is made from them. */
class SourceObserver implements HeaderWatcher, AddressWatcher {
  readonly names = new Set<string>();
  /** Whether something was read that no list of headers stands for. */
  isUnknown = false;
  readonly #res: Response;
  readonly #place: ObservedPlace;

  constructor(res: Response, place: ObservedPlace) {
    this.#res = res;
    this.#place = place;
  }

  get isOver(): boolean {
    const { writableEnded, destroyed } = this.#res as ServerResponse;
    return writableEnded || destroyed;
  }

  noteHeader(name: string): void {
    this.names.add(name);
  }

  noteAllHeaders(): void {
    this.isUnknown = true;
  }

  noteAddress(): void {
    const place = this.#place;
    if (place.readsAddress !== true) {
      const lookups = (place.lookups ?? 0) + 1;
      place.lookups = lookups;
      // To find out who reads takes longer than a hit.
      if (lookups > LOOKUPS && lookups % LOOKUPS !== 0) return;
      if (isReadForTarget()) return;
      place.readsAddress = true;
    }
    this.isUnknown = true;
  }
}

/** What was found out about a place where middleware is watched. */
export interface ObservedPlace {
  /** Whether code that runs before has ever left state on a request: nobody saw what it had read. */
  hasStateBefore: boolean;
  /** Whether middleware reads the client's address. */
  readsAddress?: boolean;
  /** How often it was found out who reads the address. */
  lookups?: number;
}

/** Times after which Express is trusted to be the only reader of the address. */
const LOOKUPS = 50;

/** Begins to watch what middleware reads of a request until {@link endObservation}. */
export function observeBefore(req: Request, res: Response, place: ObservedPlace): void {
  // A cache around this one watches already, and its code inside includes this middleware.
  if (place.hasStateBefore || InputRecorder.of(req) !== undefined || 'stream' in req) return;
  if (hasState(req, res)) {
    place.hasStateBefore = true;
    return;
  }
  const observer = new SourceObserver(res, place);
  (req as Observed)[OBSERVER] = observer;
  (req as { headers: IncomingHttpHeaders }).headers = observeHeaders(
    unobserved(req.headers),
    observer,
  );
  noteAddressReads(req, observer);
}

/** Whether code that ran before has left request state. */
export function hasState(req: Request, res: Response): boolean {
  return (
    Reflect.ownKeys(req).some((key) => isStateKey('req', key) && !isOwnQuery(req, key)) ||
    Reflect.ownKeys(res).some((key) => isStateKey('res', key) && !isQuiet(res, key))
  );
}

/** Whether it is the `req.query` that Express 4 has made of the target. */
function isOwnQuery(req: Request, key: string | symbol): boolean {
  return key === 'query' && isParsedQuery(req, (req as { query?: unknown }).query);
}

/** `res.locals` is there from the start in Express; functions stand in for methods. */
function isQuiet(res: Response, key: string | symbol): boolean {
  const { [key as 'locals']: value } = res as unknown as { locals?: object };
  return key === 'locals' ? Object.keys(value ?? {}).length === 0 : typeof value === 'function';
}

/**
 * Ends the watch.
 *
 * @returns The names of the headers that were read; `undefined` if nobody watched, or if something was
 *   read that headers do not tell.
 */
export function endObservation(req: Request): ReadonlySet<string> | undefined {
  const { [OBSERVER]: observer } = req as Observed;
  if (observer === undefined) return undefined;
  (req as Observed)[OBSERVER] = undefined;
  (req as { headers: IncomingHttpHeaders }).headers = unobserved(req.headers);
  ignoreAddressReads(req, observer);
  return observer.isUnknown ? undefined : observer.names;
}
