import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Request, Response } from '../../headers/middleware';
import { trustsProxy } from '../request-origin';
import { type AddressWatcher, ignoreAddressReads, noteAddressReads } from './address-reads';
import { InputRecorder } from './input-recorder';
import { isReadForTarget } from './reader';
import { isParsedQuery, isStateKey } from './request-state';
import { type HeaderWatcher, observeHeaders, observerOf, unobserved } from './watched-headers';

/** Learns which headers the middleware before the look-up reads, as the request state is made from them. */
class SourceObserver implements HeaderWatcher, AddressWatcher {
  readonly names = new Set<string>();
  /** Whether something was read that no list of headers stands for. */
  isUnknown = false;
  /** The property as it was, if it is watched. */
  rawHeaders: PropertyDescriptor | undefined;
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

  /** Notes that something was read which is not looked at for each request. */
  noteUnseen(): void {
    this.#place.readsAddress = true;
    this.isUnknown = true;
  }

  noteAddress(): void {
    const place = this.#place;
    if (place.readsAddress !== true) {
      const lookups = (place.lookups ?? 0) + 1;
      place.lookups = lookups;
      // A stack trace, which names the reader, takes longer than a hit.
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
  /** Whether middleware reads the client's address, or the raw headers. */
  readsAddress?: boolean;
  /** How often it was found out who reads the address. */
  lookups?: number;
  /** Requests that were watched. */
  requests?: number;
}

/** Requests for which state is looked for each time; after that, for each of so many. */
const FIRST_REQUESTS = 200;
const EACH = 32;

/** Times after which Express is trusted to be the only reader of the address. */
const LOOKUPS = 50;

/** Begins to watch what middleware reads of a request until {@link endObservation}. */
export function observeBefore(req: Request, res: Response, place: ObservedPlace): void {
  // A cache around this one watches already, and its code inside includes this middleware.
  if (place.hasStateBefore || InputRecorder.of(req) !== undefined || 'stream' in req) return;
  const isLooking = isDue(place);
  if (isLooking && hasState(req, res)) {
    place.hasStateBefore = true;
    return;
  }
  const observer = new SourceObserver(res, place);
  (req as { headers: IncomingHttpHeaders }).headers = observeHeaders(
    unobserved(req.headers),
    observer,
  );
  if (place.readsAddress === true) observer.isUnknown = true;
  else noteAddressReads(req, observer);
  if (isLooking) watchRawHeaders(req, observer);
}

/** `rawHeaders`, and `headersDistinct` which is made of it, do not tell which header is wanted. */
function watchRawHeaders(req: Request, observer: SourceObserver): void {
  const own = Object.getOwnPropertyDescriptor(req, 'rawHeaders');
  if (own?.configurable !== true || own.get !== undefined) return;
  observer.rawHeaders = own;
  Object.defineProperty(req, 'rawHeaders', {
    configurable: true,
    enumerable: true,
    get() {
      observer.noteUnseen();
      return own.value;
    },
    set(value: unknown) {
      own.value = value;
    },
  });
}

/** Whether it is time to look for state once more, which takes a tenth as long as a hit. */
function isDue(place: ObservedPlace): boolean {
  const requests = (place.requests ?? 0) + 1;
  place.requests = requests;
  return requests <= FIRST_REQUESTS || requests % EACH === 0;
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
  const observer = stopObserving(req);
  if (observer === undefined || observer.isUnknown) return undefined;
  const { names } = observer;
  // Scheme and host are in the key.
  if (trustsProxy(req)) for (const name of FORWARDED) names.delete(name);
  return names;
}

/** Ends the watch of a request whose answer needs no such list. */
export function stopObserving(req: Request): SourceObserver | undefined {
  // Under a cache around this one nothing was begun.
  if (InputRecorder.of(req) !== undefined) return undefined;
  const { headers } = req;
  const observer = observerOf(headers) as SourceObserver | undefined;
  if (observer === undefined) return undefined;
  (req as { headers: IncomingHttpHeaders }).headers = unobserved(headers);
  ignoreAddressReads(req, observer);
  if (observer.rawHeaders !== undefined) {
    Object.defineProperty(req, 'rawHeaders', observer.rawHeaders);
  }
  return observer;
}

const FORWARDED = ['x-forwarded-host', 'x-forwarded-proto'];
