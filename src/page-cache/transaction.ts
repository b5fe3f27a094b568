import type { ServerResponse } from 'node:http';
import { after, type MaybePromise } from '../cache/maybe-promise';
import type { Noted } from '../cache/tags';
import type { Next, Request, Response } from '../headers/middleware';
import type { CacheOutcome } from '../http/cache-status';
import { type RequestDirectives, requestDirectives } from '../http/request-directives';
import { hideTagHeaders, offerCacheTags } from './cache-tags';
import { noteHit } from './churn';
import { withCountingCookies } from './cookie-rules';
import { canDetach, detachedRunOf, runDetached } from './detached-request';
import { PageFill } from './fill';
import type { StaleGet } from './fill-start';
import { type Flight, type Landing, PageFlights } from './flights';
import { InputValues } from './inputs/input-values';
import { endObservation } from './inputs/observe-before';
import { headersForRefresh, showListedHeaders } from './inputs/shown-headers';
import { headersOf } from './inputs/watched-headers';
import { type MountedPlace, noteUnasked } from './mount-warnings';
import { addCacheStatus, hasListeners, tellAtHead, tellOutcome } from './outcomes';
import { PageLease } from './page-lease';
import { backendOf, finishBeforeClose, type PageSettings, reportFailure } from './page-settings';
import { findResponse, hasStatePresent, type PageLookup, touchVariant } from './page-store';
import { areCurrent, noteTags } from './page-tags';
import { type HeadDecision, type RecorderEvents, type Recording, recordResponse } from './recorder';
import { replay } from './replay';
import {
  type PageKey,
  pageKeyFor,
  rememberPage,
  requestedPage,
  variantOf,
  withRewrittenTarget,
} from './request-key';
import { type FrontedApp, standBefore } from './request-origin';
import type { StoredResponse } from './stored-response';

/**
 * How far a request has come: `open`, not looked up yet; `passed`, none of the cache's business;
 * `hit`; `missed`, so that its response may be stored.
 */
type State = 'open' | 'passed' | 'hit' | 'missed';

/** The app that a cache stands before, and whether nothing but the cache does. */
export interface Fronted {
  readonly app: FrontedApp;
  readonly isOutermost: boolean;
}

const TRANSACTION = Symbol('cachewright.transaction');

interface TransactionHolder {
  [TRANSACTION]?: PageTransaction;
}

/**
 * One page cache's dealings with one request: whether it is answered from the cache, at once or by
 * waiting for another, or by the handlers. Those of nested caches are linked, innermost first.
 */
export class PageTransaction implements RecorderEvents {
  settings: PageSettings;
  readonly #req: Request;
  readonly #res: ServerResponse;
  readonly #pageSeconds: number | null;
  readonly #fronted: Fronted | undefined;
  readonly #outer: PageTransaction | undefined;
  readonly #method: string | undefined;
  #state: State = 'open';
  #isWatching = false;
  /** The inputs of the request, as they are looked up. */
  #values!: InputValues;
  #key: PageKey | undefined;
  /** When the look-up began, in the order in which pages are stored. */
  #searchedAt = 0;
  /** The stored GET to a HEAD, which its answer confirms or refutes. */
  #staleGet: StaleGet | undefined;
  /** Where the outer half of the pair is mounted. */
  #place: MountedPlace | undefined;
  /** The run of the handlers after a miss. */
  #fill: PageFill | undefined;

  /**
   * @param pageSeconds - The page's own timeout, which goes before all others; `null`: none.
   * @param fronted - The app that the cache stands before.
   */
  constructor(
    req: Request,
    res: Response,
    settings: PageSettings,
    pageSeconds: number | null = null,
    fronted?: Fronted,
  ) {
    this.#fronted = fronted;
    this.#req = req;
    this.#res = res as ServerResponse;
    this.settings = settings;
    this.#pageSeconds = pageSeconds;
    this.#method = req.method;
    this.#outer = (req as TransactionHolder)[TRANSACTION];
  }

  /** So that caches further in know of it. Those that answer at once need not. */
  #enlist(): void {
    (this.#req as TransactionHolder)[TRANSACTION] = this;
  }

  /** The innermost transaction of this request that was not looked up yet. */
  static openOn(req: Request): PageTransaction | undefined {
    let transaction = (req as TransactionHolder)[TRANSACTION];
    while (transaction !== undefined && transaction.#state !== 'open') {
      transaction = transaction.#outer;
    }
    return transaction;
  }

  /**
   * Starts to watch the response. Middleware that is mounted later gets its say before the
   * response is recorded. Otherwise the watch begins with the miss.
   */
  watchResponse(place?: MountedPlace): void {
    this.#place = place;
    this.#isWatching = true;
    this.#enlist();
    recordResponse(this.#res, this.#method === 'HEAD', this);
  }

  isWanted(): boolean {
    if (this.#state === 'open') noteUnasked(this.#place, this.#res);
    return this.#state === 'missed';
  }

  mayReplace(): boolean {
    return this.#fill!.mayReplace();
  }

  onHead(): HeadDecision {
    return this.#fill!.onHead();
  }

  onFinalHead(): boolean {
    return this.#fill!.onFinalHead();
  }

  onComplete(recording: Recording): void {
    this.#fill!.onComplete(recording);
  }

  onAbandoned(reason: 'gone' | 'unfit'): void {
    this.#fill!.onAbandoned(reason);
  }

  /** Answers from the cache, or calls `next`. At once where the backend needs no I/O. */
  lookUp(next: Next): void | Promise<void> {
    const req = this.#req;
    if (this.#place !== undefined) this.#place.hasLookedUp = true;
    const headers = headersOf(req);
    const page = requestedPage(req, headers, this.#method, this.settings, this.#fronted?.app);
    if (typeof page === 'string') {
      this.#state = 'passed';
      endObservation(req);
      tellAtHead(req, this.#res, this.settings, { fwd: 'bypass', detail: page });
      offerCacheTags(this.#res);
      hideTagHeaders(this.#res, this.settings);
      if (this.settings.headers !== undefined) showListedHeaders(req, this.settings.headers);
      next();
      return;
    }
    const counting = withRewrittenTarget(req, withCountingCookies(headers, this.settings.cookies));
    this.#values = new InputValues(req, this.#res, counting, this.settings, headers);
    this.#key = page;
    if (this.#method === 'HEAD') return this.#lookUpHead(page, next);
    return this.#search(next);
  }

  /** HEAD is answered by a stored GET, or else by a stored HEAD. */
  #lookUpHead(getKey: PageKey, next: Next): void | Promise<void> {
    const { settings } = this;
    return after(findResponse(settings, getKey, this.#values), (get): MaybePromise<void> => {
      const { response, storageKey } = get;
      if (response !== undefined) {
        if (this.#isReusable(response)) return this.#hit(response);
        if (this.#hitStale(get, response)) return;
        const { counters = new Map(), inputs = [] } = get;
        this.#staleGet = { key: getKey, storageKey, response, counters, inputs };
      }
      const headKey = pageKeyFor(this.#req, getKey.url, 'HEAD', settings);
      this.#key = headKey;
      return after(findResponse(settings, headKey, this.#values), (head) => {
        if (head.response !== undefined && this.#isReusable(head.response)) {
          return this.#hit(head.response);
        }
        if (this.#wishes()?.onlyIfCached) return this.#refuse();
        const isBlind = get.isBlind || head.isBlind;
        this.#run({ ...head, response: undefined, isBlind }, next, undefined);
      });
    });
  }

  /** @param deadline - Of the waiting, on the clock of `performance.now()`; most do not wait. */
  #search(next: Next, deadline?: number): void | Promise<void> {
    this.#searchedAt = PageFlights.clock;
    const found = findResponse(this.settings, this.#key!, this.#values);
    return found instanceof Promise
      ? found.then((lookup) => this.#decide(lookup, next, deadline))
      : this.#decide(found, next, deadline);
  }

  /** @see RFC 9111 §4 */
  #decide(lookup: PageLookup, next: Next, deadline?: number): MaybePromise<void> {
    const { response, storageKey } = lookup;
    const { softTimeout } = this.settings;
    if (detachedRunOf(this.#req) !== undefined) {
      const flights = this.#flights();
      return this.#run(lookup, next, flights?.get(storageKey) ?? flights?.begin(storageKey));
    }
    if (response !== undefined && this.#isReusable(response)) {
      return this.#hit(response, {}, storageKey);
    }
    const wishes = this.#wishes();
    if (wishes?.onlyIfCached) return this.#refuse();
    // What is not kept is of no use to those who would wait for it.
    if (wishes?.noStore) return this.#run(lookup, next, undefined);
    if (response === undefined) return this.#join(lookup, next, deadline);
    if (this.#hitStale(lookup, response)) return;
    if (softTimeout !== undefined && this.#maySendStale(response) && canDetach(this.#req)) {
      if (response.isServableOnError(Date.now())) {
        return this.#race(lookup, response, softTimeout, next);
      }
    }
    return this.#join(lookup, next, deadline);
  }

  /**
   * Sends a stale response where its terms let it be sent before the handlers were asked.
   *
   * @returns Whether they did.
   */
  #hitStale(lookup: PageLookup, response: StoredResponse): boolean {
    const now = Date.now();
    if (!this.#maySendStale(response)) return false;
    const isRefreshable =
      !this.#flights()?.isUnrefreshable(lookup.storageKey, now) &&
      !hasStatePresent(lookup.inputs ?? [], this.#values);
    if (isRefreshable && response.isServableMeanwhile(now) && canDetach(this.#req)) {
      this.#refresh(lookup);
      this.#hit(response, {}, lookup.storageKey);
      return true;
    }
    const isBackingOff =
      isRefreshable && this.#flights()?.isBackingOff(lookup.storageKey, now) === true;
    if (!isBackingOff || !response.isServableOnError(now)) return false;
    this.#hit(response, { detail: 'error' });
    return true;
  }

  /** Whether it is for its age alone that the response will not do, and not what the client wants. */
  #maySendStale(response: StoredResponse): boolean {
    const wishes = this.#wishes();
    const isUnwanted = wishes?.noCache || wishes?.noStore || wishes?.maxAge !== undefined;
    return !isUnwanted && !response.isFresh(Date.now());
  }

  /** Whether a stored response answers the request without more ado. */
  #isReusable(response: StoredResponse): boolean {
    const now = Date.now();
    const wishes = this.#wishes();
    if (wishes === undefined) return response.isFresh(now);
    if (wishes.noCache || wishes.noStore) return false;
    if (wishes.maxAge !== undefined && (response.age(now) ?? 0) > wishes.maxAge) return false;
    if (response.alwaysValidate) return false;
    const remainingMs = response.staleAt - now;
    if (remainingMs > 0) return remainingMs >= wishes.minFresh * 1000;
    return !response.mustRevalidate && -remainingMs <= wishes.maxStale * 1000;
  }

  /** What the client asks of caches, where the site lets it. */
  #wishes(): RequestDirectives | undefined {
    if (!this.settings.requestDirectives) return undefined;
    const headers = headersOf(this.#req);
    return requestDirectives(headers['cache-control'], headers.pragma as string | undefined);
  }

  #flights(): PageFlights | undefined {
    try {
      return PageFlights.of(backendOf(this.settings));
    } catch {
      // The look-up has reported it already.
      return undefined;
    }
  }

  /** Waits for another request that renders the same page, or renders it. */
  #join(
    lookup: PageLookup,
    next: Next,
    deadline = performance.now() + this.settings.waitMs,
  ): MaybePromise<void> {
    const { storageKey } = lookup;
    const flights = this.#flights();
    const leftMs = deadline - performance.now();
    if (flights === undefined || flights.isUncacheable(storageKey, Date.now())) {
      return this.#run(lookup, next, undefined);
    }
    const flight = flights.get(storageKey);
    if (flight !== undefined && this.#isLedFurtherOut(flight)) {
      return this.#run(lookup, next, undefined);
    }
    // The look-up took so long that it missed what was made meanwhile. One that had no answer would
    // have none the next time.
    const isMissed = flight === undefined && flights.isStoredSince(storageKey, this.#searchedAt);
    if (isMissed && !lookup.isBlind) return this.#search(next, deadline);
    if (flight === undefined || flight.isOlderThan(this.settings.waitMs)) {
      const own = flights.begin(storageKey);
      const isAlone = lookup.isBlind || !backendOf(this.settings).isShared;
      if (isAlone) return this.#run(lookup, next, own);
      return this.#lead(lookup, next, own, deadline);
    }
    if (leftMs <= 0) return this.#run(lookup, next, undefined);
    const isInTime = !flight.isConfirming;
    const arrival = Promise.race([flight.landing, flight.released]);
    return settledWithin(arrival, leftMs).then((landing) =>
      this.#afterWaiting(landing, isInTime, lookup, next, deadline),
    );
  }

  /**
   * Renders the page once it is this process's turn among those that share the backend, unless
   * another has rendered it by then.
   */
  async #lead(start: PageLookup, next: Next, flight: Flight, deadline: number): Promise<void> {
    const { settings } = this;
    const { storageKey } = start;
    for (let lookup = start; ; ) {
      const turn = await PageLease.take(settings, storageKey);
      if (turn instanceof PageLease) flight.holdUnder(turn);
      const outcome =
        turn === 'held' ? await PageLease.waitForRelease(settings, storageKey, deadline) : turn;
      // Nobody is there to be answered; one of those who wait takes over.
      if (this.#res.destroyed) return flight.land({ kind: 'failed' });
      if (outcome === 'silent') return this.#run({ ...lookup, isBlind: true }, next, flight);
      if (outcome === 'late' || outcome === 'unavailable') return this.#run(lookup, next, flight);
      if (outcome === 'uncacheable') {
        this.#flights()?.markUncacheable(storageKey, Date.now());
        flight.land({ kind: 'uncacheable', isLasting: true });
        return this.#run(lookup, next, undefined);
      }
      flight.isConfirming = true;
      lookup = await findResponse(settings, this.#key!, this.#values, true);
      const { response } = lookup;
      if (response !== undefined && this.#isReusable(response)) {
        this.#landFound(flight, response, lookup);
        return this.#hit(response, { collapsed: true });
      }
      if (lookup.storageKey !== storageKey) {
        flight.land({ kind: 'failed' });
        return this.#decide(lookup, next, deadline);
      }
      flight.isConfirming = false;
      if (outcome instanceof PageLease) return this.#run(lookup, next, flight);
    }
  }

  /** Gives those who wait here what another process has rendered. */
  #landFound(flight: Flight, response: StoredResponse, { inputs = [] }: PageLookup): void {
    const written = Promise.resolve();
    const variant = variantOf(inputs, this.#values);
    // Its counters do not tell whether it was removed since it was read.
    flight.land({ kind: 'stored', variant, inputs, response, counters: undefined, written });
  }

  /** Whether a cache around this one leads it, for this very request, and waits in its turn. */
  #isLedFurtherOut(flight: Flight): boolean {
    for (let outer = this.#outer; outer !== undefined; outer = outer.#outer) {
      if (outer.#fill?.flight === flight) return true;
    }
    return false;
  }

  async #afterWaiting(
    landing: Landing | 'released' | undefined,
    isInTime: boolean,
    lookup: PageLookup,
    next: Next,
    deadline: number,
  ): Promise<void> {
    // Nobody is there to be answered.
    if (this.#res.destroyed) return;
    if (landing === undefined) return this.#join(lookup, next, deadline);
    if (landing === 'released') return this.#run({ ...lookup, isBlind: true }, next, undefined);
    if (landing.kind === 'uncacheable') return this.#run(lookup, next, undefined);
    if (landing.kind === 'stored') {
      const isMine = this.#isMine(landing);
      const isCurrent = !isMine || isInTime || (await this.#isCurrent(landing));
      if (isCurrent === undefined) return this.#run({ ...lookup, isBlind: true }, next, undefined);
      if (isMine && isCurrent) return this.#hit(landing.response, { collapsed: true });
      const { written } = landing;
      if (written !== undefined) await settledWithin(written, deadline - performance.now());
    }
    return this.#search(next, deadline);
  }

  /** Whether what another request has made answers this one, too. */
  #isMine({ variant, inputs, response }: Landing & { kind: 'stored' }): boolean {
    const isVariant = variantOf(inputs, this.#values) === variant;
    return isVariant && response.isFresh(Date.now());
  }

  /**
   * Takes it upon this cache to answer. What it has stored is not stored once more further out,
   * with its life begun anew, and its refusal is no error of the handlers.
   */
  #answer(): void {
    this.#state = 'hit';
    for (let outer = this.#outer; outer !== undefined; outer = outer.#outer) {
      outer.#state = 'passed';
    }
  }

  /** Whether it is known not to have been purged or removed until now. */
  async #isCurrent({ counters }: Landing & { kind: 'stored' }): Promise<boolean | undefined> {
    if (counters === undefined) return false;
    try {
      return await areCurrent(this.settings, counters);
    } catch (error) {
      reportFailure(this.settings, error, { operation: 'read', key: this.#key!.base });
      return undefined;
    }
  }

  #hit(response: StoredResponse, more: CacheOutcome = {}, storageKey?: string): void {
    this.#answer();
    endObservation(this.#req);
    rememberPage(this.#key!);
    // A timeout that would not wait for the look-up has answered in the meantime.
    if (this.#res.headersSent) return;
    noteHit(this.#key!.base);
    if (storageKey !== undefined) touchVariant(this.settings, this.#key!, storageKey);
    const status = hasListeners(this.settings)
      ? tellOutcome(this.#req, this.settings, {
          hit: true,
          ttl: response.remainingSeconds(Date.now()),
          ...more,
        })
      : undefined;
    const { sent } = this.#values;
    replay({ method: this.#method, headers: sent }, this.#res, response, this.settings, status);
  }

  /** @see RFC 9111 §5.2.1.7 */
  #refuse(): void {
    this.#answer();
    const status = tellOutcome(this.#req, this.settings, { detail: 'only-if-cached' });
    addCacheStatus(this.#res, status);
    this.#res.statusCode = 504;
    this.#res.end();
  }

  /** Has the page rendered anew behind the scenes, unless that is under way or failed just now. */
  #refresh(lookup: PageLookup): Promise<Landing> | undefined {
    const { storageKey, inputs = [] } = lookup;
    const flights = this.#flights();
    // A refresh has no visitor, and so none of a visitor's state (DESIGN 2.2).
    if (hasStatePresent(inputs, this.#values)) return undefined;
    if (flights === undefined || flights.isBackingOff(storageKey, Date.now())) return undefined;
    const underWay = flights.get(storageKey);
    if (underWay?.isOlderThan(this.settings.waitMs) === false) return underWay.landing;
    const flight = flights.begin(storageKey);
    const { settings } = this;
    // The language is in the key, and was most probably taken from there.
    const named = settings.language === undefined ? inputs : [...inputs, 'accept-language'];
    const headers = headersForRefresh(named, this.#values.headers);
    let hasLanded = false;
    const land = (landing: Landing): void => {
      if (hasLanded) return;
      hasLanded = true;
      const now = Date.now();
      // A handler that answered with an error was noted already.
      const isFailure = landing.kind === 'failed' && !flights.isBackingOff(storageKey, now);
      if (landing.kind === 'uncacheable') flights.markUnrefreshable(storageKey, now);
      else if (isFailure) flights.markFailed(storageKey, now);
      flight.land(landing);
    };
    // Not in the way of the answer that this is about.
    setImmediate(async () => {
      if (!(await this.#isOurTurn(storageKey, flight))) return;
      try {
        runDetached(this.#req, this.#key!.url, headers, { key: storageKey, land });
      } catch (error) {
        reportFailure(settings, error, { operation: 'write', key: storageKey });
        land({ kind: 'failed' });
      }
    });
    finishBeforeClose(settings, settledWithin(flight.landing, settings.waitMs));
    return flight.landing;
  }

  /** Whether no other process refreshes the page. If one does, the flight lasts until it is done. */
  async #isOurTurn(storageKey: string, flight: Flight): Promise<boolean> {
    const { settings } = this;
    if (!backendOf(settings).isShared) return true;
    const turn = await PageLease.take(settings, storageKey);
    if (turn === 'unavailable' || turn === 'silent') return true;
    if (turn instanceof PageLease) {
      flight.holdUnder(turn);
      flight.isConfirming = true;
      const found = await findResponse(settings, this.#key!, this.#values, true);
      const { response } = found;
      flight.isConfirming = response?.isFresh(Date.now()) === true;
      if (!flight.isConfirming) return true;
      // Another has refreshed it since it was found to be stale.
      this.#landFound(flight, response!, found);
      return false;
    }
    if (turn === 'held') {
      await PageLease.waitForRelease(settings, storageKey, performance.now() + settings.waitMs);
    }
    flight.land(turn === 'held' ? { kind: 'failed' } : { kind: turn, isLasting: true });
    return false;
  }

  /** Gives a detached run some time, and serves what there is when that is over. */
  async #race(
    lookup: PageLookup,
    response: StoredResponse,
    seconds: number,
    next: Next,
  ): Promise<void> {
    const refresh = this.#refresh(lookup);
    const landing = refresh && (await settledWithin(refresh, seconds * 1000));
    if (this.#res.destroyed) return;
    // The handlers did answer, but with what is this visitor's own, or gone.
    if (landing?.kind === 'uncacheable') return this.#run(lookup, next, undefined);
    if (landing?.kind === 'stored' && this.#isMine(landing)) {
      return this.#hit(landing.response, { collapsed: true });
    }
    this.#hit(response);
  }

  /** Lets the handlers run, once the tags are noted that the page is known to have. */
  #run(lookup: PageLookup, next: Next, flight: Flight | undefined): MaybePromise<void> {
    const run = (noted: Noted | undefined) => this.#fillWith(lookup, next, flight, noted);
    if (lookup.isBlind) return run(undefined);
    const fail = (error: unknown) => {
      reportFailure(this.settings, error, { operation: 'read', key: lookup.storageKey });
    };
    let noted: MaybePromise<Noted | undefined>;
    try {
      noted = noteTags(this.settings, this.#key!, this.#req);
    } catch (error) {
      fail(error);
    }
    return noted! instanceof Promise ? noted!.catch(fail as never).then(run) : run(noted!);
  }

  /** Lets the handlers run, on a request that asks for the whole page. */
  #fillWith(
    lookup: PageLookup,
    next: Next,
    flight: Flight | undefined,
    noted: Noted | undefined,
  ): void {
    // Not before: on Node 24 a property more makes a hit a tenth slower.
    if (this.#fronted !== undefined) standBefore(this.#req, this.#fronted.app);
    const fill = new PageFill({
      req: this.#req,
      res: this.#res,
      method: this.#method,
      settings: this.settings,
      pageSeconds: this.#pageSeconds,
      key: this.#key!,
      lookup,
      values: this.#values,
      isOutermost: this.#fronted?.isOutermost === true,
      isFronting: this.#fronted !== undefined,
      flight,
      flights: this.#flights(),
      staleGet: this.#staleGet,
      mustNotStore: this.#wishes()?.noStore === true,
      noted,
    });
    this.#state = 'missed';
    this.#fill = fill;
    fill.prepare();
    if (!this.#isWatching) this.watchResponse();
    offerCacheTags(this.#res);
    fill.run(next);
  }
}

/** What `promise` comes to, or `undefined` if that takes longer than this. */
async function settledWithin<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.min(ms, 2 ** 31 - 1));
    // Whoever waits has a client, and without one there is nothing to stay alive for.
    timer.unref();
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
