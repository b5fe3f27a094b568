import type { ServerResponse } from 'node:http';
import type { Next, Request, Response } from '../headers/middleware';
import { hideTagHeaders, offerCacheTags } from './cache-tags';
import { withCountingCookies } from './cookie-rules';
import { PageFill } from './fill';
import type { Flight } from './flights';
import { InputValues } from './inputs/input-values';
import { stopObserving } from './inputs/observe-before';
import { showListedHeaders } from './inputs/shown-headers';
import { headersOf } from './inputs/watched-headers';
import { Lookup, type LookupOwner, type Miss } from './lookup';
import { type MountedPlace, noteUnasked } from './mount-warnings';
import { tellAtHead } from './outcomes';
import type { PageSettings } from './page-settings';
import { type RecorderEvents, type RecorderSource, recordResponse } from './recorder';
import { requestedPage, withRewrittenTarget } from './request-key';
import { type FrontedApp, standBefore } from './request-origin';

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
export class PageTransaction implements RecorderSource, LookupOwner {
  settings: PageSettings;
  readonly #req: Request;
  readonly #res: ServerResponse;
  readonly #pageSeconds: number | null;
  readonly #fronted: Fronted | undefined;
  readonly #outer: PageTransaction | undefined;
  readonly #method: string | undefined;
  #state: State = 'open';
  #isWatching = false;
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

  current(): RecorderEvents | undefined {
    if (this.#state === 'open') noteUnasked(this.#place, this.#res);
    return this.#state === 'missed' ? this.#fill : undefined;
  }

  /** Answers from the cache, or calls `next`. At once where the backend needs no I/O. */
  lookUp(next: Next): void | Promise<void> {
    const req = this.#req;
    if (this.#place !== undefined) this.#place.hasLookedUp = true;
    const headers = headersOf(req);
    const page = requestedPage(req, headers, this.#method, this.settings, this.#fronted?.app);
    if (typeof page === 'string') {
      this.#state = 'passed';
      stopObserving(req);
      tellAtHead(req, this.#res, this.settings, { fwd: 'bypass', detail: page });
      offerCacheTags(this.#res);
      hideTagHeaders(this.#res, this.settings);
      if (this.settings.headers !== undefined) showListedHeaders(req, this.settings.headers);
      next();
      return;
    }
    const counting = withRewrittenTarget(req, withCountingCookies(headers, this.settings.cookies));
    const { settings } = this;
    const values = new InputValues(req, this.#res, counting, settings, headers);
    const start = { req, res: this.#res, method: this.#method, settings, key: page, values };
    return new Lookup(start, this).answer(next);
  }

  /** Whether a cache around this one leads it, for this very request, and waits in its turn. */
  isLedFurtherOut(flight: Flight): boolean {
    for (let outer = this.#outer; outer !== undefined; outer = outer.#outer) {
      if (outer.#fill?.flight === flight) return true;
    }
    return false;
  }

  /**
   * Takes it upon this cache to answer. What it has stored is not stored once more further out,
   * with its life begun anew, and its refusal is no error of the handlers.
   */
  answer(): void {
    this.#state = 'hit';
    stopObserving(this.#req);
    for (let outer = this.#outer; outer !== undefined; outer = outer.#outer) {
      outer.#state = 'passed';
    }
  }

  fill(miss: Miss, next: Next): void {
    // Not before: on Node 24 a property more makes a hit a tenth slower.
    if (this.#fronted !== undefined) standBefore(this.#req, this.#fronted.app);
    const fill = new PageFill({
      ...miss,
      req: this.#req,
      res: this.#res,
      method: this.#method,
      settings: this.settings,
      pageSeconds: this.#pageSeconds,
      isOutermost: this.#fronted?.isOutermost === true,
      isFronting: this.#fronted !== undefined,
    });
    this.#state = 'missed';
    this.#fill = fill;
    fill.prepare();
    if (!this.#isWatching) this.watchResponse();
    offerCacheTags(this.#res);
    fill.run(next);
  }
}
