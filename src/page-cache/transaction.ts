import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { MaybePromise } from '../cache/base-cache';
import { applyPreconditions, validatorsOf } from '../headers/conditional-response';
import type { Next, Request, Response } from '../headers/middleware';
import { patchFreshnessHeaders } from '../headers/patch-freshness';
import { patchVaryHeaders } from '../headers/patch-vary';
import { hasDirective, parseCacheControl } from '../http/cache-control';
import type { CacheOutcome } from '../http/cache-status';
import type { HeaderValue } from '../http/header-value';
import { formatHttpDate } from '../http/http-date';
import { cachePreconditions } from '../http/preconditions';
import { type RequestDirectives, requestDirectives } from '../http/request-directives';
import { hasValidator } from '../http/storability';
import { parseVary } from '../http/vary';
import { hideOtherCookies, withCountingCookies } from './cookie-rules';
import { canDetach, detachedRunOf, runDetached } from './detached-request';
import { type Flight, type Landing, PageFlights } from './flights';
import { isAbout, isSameRepresentation, updatedFields } from './freshen';
import { invalidationClock, isInvalidatedSince, noteSuffix } from './invalidate';
import { addCacheStatus, hasListeners, tellAtHead, tellOutcome } from './outcomes';
import { ageOrigin, fieldsOf, judgeResponse, type NotStored, type PageTerms } from './page-policy';
import { backendOf, type PageSettings, reportFailure } from './page-settings';
import { after, findResponse, type PageLookup, removePage, storeResponse } from './page-store';
import { headersOf, type ReadTracker, trackReads } from './read-tracker';
import { type HeadDecision, type Recording, recordResponse, snapshot } from './recorder';
import { putHead, replay } from './replay';
import {
  absoluteUrl,
  applyTargetRule,
  mayUseCache,
  type PageKey,
  pageKeyFor,
  REWRITTEN_TARGET,
  variantOf,
  withRewrittenTarget,
} from './request-key';
import { fieldOf, StoredResponse } from './stored-response';
import { varyingNames } from './varying-names';

/**
 * How far a request has come: `open`, not looked up yet; `passed`, none of the cache's business;
 * `hit`; `missed`, so that its response may be stored.
 */
type State = 'open' | 'passed' | 'hit' | 'missed';

const TRANSACTION = Symbol('cachewright.transaction');

interface TransactionHolder {
  [TRANSACTION]?: PageTransaction;
}

/** Answers of handlers that something stale may stand in for (RFC 5861 §4). */
const ERRORS = new Set([500, 502, 503, 504]);

/** Request headers that ask for less than the page, and must not keep it from being stored. */
const PARTIAL_HEADERS = [
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
];

/**
 * One page cache's dealings with one request: the look-up, and what becomes of the response after
 * a miss. Those of nested caches are linked, innermost first.
 */
export class PageTransaction {
  settings: PageSettings;
  readonly #req: Request;
  readonly #res: ServerResponse;
  readonly #pageSeconds: number | null;
  readonly #outer: PageTransaction | undefined;
  readonly #method: string | undefined;
  #state: State = 'open';
  #isWatching = false;
  /** Request headers as they came; handlers see, and may make, others. */
  #headers: IncomingHttpHeaders = {};
  #key: PageKey | undefined;
  #storageKey = '';
  #flight: Flight | undefined;
  /** A stored response that is stale, but may still turn out to hold. */
  #stale: StoredResponse | undefined;
  /** The stored GET to a HEAD, which its answer confirms or refutes. */
  #staleGet:
    | { readonly key: PageKey; readonly storageKey: string; readonly response: StoredResponse }
    | undefined;
  #isValidating = false;
  #hasStripped = false;
  #mustNotStore = false;
  #requestedAt = 0;
  #begunAt = 0;
  #terms: PageTerms | undefined;
  #sentAt = 0;
  #ageFrom: number | undefined;
  #vary: readonly string[] = [];
  /** Whether pages of this URL are kept apart by the target that handlers are asked for. */
  #isTargetKeyed = false;
  #outcome: CacheOutcome = {};
  #tracker: ReadTracker | undefined;

  /**
   * @param pageSeconds - The page's own timeout, which goes before all others; `null`: none.
   */
  constructor(
    req: Request,
    res: Response,
    settings: PageSettings,
    pageSeconds: number | null = null,
  ) {
    this.#req = req;
    this.#res = res as ServerResponse;
    this.settings = settings;
    this.#pageSeconds = pageSeconds;
    this.#method = req.method;
    const holder = req as TransactionHolder;
    this.#outer = holder[TRANSACTION];
    holder[TRANSACTION] = this;
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
  watchResponse(): void {
    this.#isWatching = true;
    recordResponse(this.#res, this.#method === 'HEAD', {
      isWanted: () => this.#state === 'missed',
      mayReplace: () =>
        this.#stale !== undefined || this.#staleGet !== undefined || this.#hasStripped,
      onHead: () => this.#onHead(),
      onFinalHead: () => this.#onFinalHead(),
      onComplete: (recording) => this.#store(recording),
      onAbandoned: (reason) => this.#onAbandoned(reason),
    });
  }

  /** Answers from the cache, or calls `next`. At once where the backend needs no I/O. */
  lookUp(next: Next): void | Promise<void> {
    const req = this.#req;
    const { targetRule, cookies } = this.settings;
    const url = mayUseCache(req, this.settings) ? absoluteUrl(req, targetRule) : undefined;
    // A method overridden on the way is not the one that the client will think was answered.
    if (url === undefined || req.method !== this.#method) {
      this.#state = 'passed';
      tellAtHead(req, this.#res, this.settings, { fwd: 'bypass' });
      next();
      return;
    }
    this.#headers = withRewrittenTarget(req, withCountingCookies(headersOf(req), cookies));
    this.#key = pageKeyFor(req, url, 'GET', this.settings);
    noteSuffix(this.#key.suffix);
    if (this.#method === 'HEAD') return this.#lookUpHead(url, next);
    return this.#search(next, performance.now() + this.settings.waitMs);
  }

  /** HEAD is answered by a stored GET, or else by a stored HEAD. */
  #lookUpHead(url: string, next: Next): void | Promise<void> {
    const getKey = this.#key!;
    const { settings } = this;
    return after(findResponse(settings, getKey, this.#headers), (get): MaybePromise<void> => {
      const { response, storageKey } = get;
      if (response !== undefined) {
        if (this.#isReusable(response)) return this.#hit(response);
        if (this.#hitStale(get, response)) return;
        this.#staleGet = { key: getKey, storageKey, response };
      }
      const headKey = pageKeyFor(this.#req, url, 'HEAD', settings);
      this.#key = headKey;
      return after(findResponse(settings, headKey, this.#headers), (head) => {
        if (head.response !== undefined && this.#isReusable(head.response)) {
          return this.#hit(head.response);
        }
        if (this.#wishes()?.onlyIfCached) return this.#refuse();
        this.#run({ ...head, response: undefined }, next, undefined);
      });
    });
  }

  #search(next: Next, deadline: number): void | Promise<void> {
    return after(findResponse(this.settings, this.#key!, this.#headers), (lookup) =>
      this.#decide(lookup, next, deadline),
    );
  }

  /** @see RFC 9111 §4 */
  #decide(lookup: PageLookup, next: Next, deadline: number): MaybePromise<void> {
    const { response, storageKey } = lookup;
    const { softTimeout } = this.settings;
    if (detachedRunOf(this.#req) !== undefined) {
      const flights = this.#flights();
      return this.#run(lookup, next, flights?.get(storageKey) ?? flights?.begin(storageKey));
    }
    if (response !== undefined && this.#isReusable(response)) return this.#hit(response);
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
    if (response.isServableMeanwhile(now) && canDetach(this.#req)) {
      this.#refresh(lookup);
      this.#hit(response);
      return true;
    }
    const isBackingOff = this.#flights()?.isBackingOff(lookup.storageKey, now) === true;
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
  #join(lookup: PageLookup, next: Next, deadline: number): MaybePromise<void> {
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
    if (flight === undefined || flight.isOlderThan(this.settings.waitMs)) {
      return this.#run(lookup, next, flights.begin(storageKey));
    }
    if (leftMs <= 0) return this.#run(lookup, next, undefined);
    return settledWithin(flight.landing, leftMs).then((landing) =>
      this.#afterWaiting(landing, lookup, next, deadline),
    );
  }

  /** Whether a cache around this one leads it, for this very request, and waits in its turn. */
  #isLedFurtherOut(flight: Flight): boolean {
    for (let outer = this.#outer; outer !== undefined; outer = outer.#outer) {
      if (outer.#flight === flight) return true;
    }
    return false;
  }

  async #afterWaiting(
    landing: Landing | undefined,
    lookup: PageLookup,
    next: Next,
    deadline: number,
  ): Promise<void> {
    // Nobody is there to be answered.
    if (this.#res.destroyed) return;
    if (landing === undefined) return this.#join(lookup, next, deadline);
    if (landing.kind === 'uncacheable') return this.#run(lookup, next, undefined);
    if (landing.kind === 'stored') {
      if (this.#isMine(landing)) return this.#hit(landing.response, { collapsed: true });
      await settledWithin(landing.written, deadline - performance.now());
    }
    return this.#search(next, deadline);
  }

  /** Whether what another request has made answers this one, too. */
  #isMine({ variant, vary, response, begunAt }: Landing & { kind: 'stored' }): boolean {
    return (
      variantOf(vary, this.#headers, this.settings) === variant &&
      response.isFresh(Date.now()) &&
      !isInvalidatedSince(this.#key!.url, begunAt)
    );
  }

  #hit(response: StoredResponse, more: CacheOutcome = {}): void {
    this.#state = 'hit';
    // What a cache further in has stored is not stored once more, with its life begun anew.
    for (let outer = this.#outer; outer !== undefined; outer = outer.#outer) {
      outer.#state = 'passed';
    }
    // A timeout that would not wait for the look-up has answered in the meantime.
    if (this.#res.headersSent) return;
    const status = hasListeners(this.settings)
      ? tellOutcome(this.#req, this.settings, {
          hit: true,
          ttl: response.remainingSeconds(Date.now()),
          ...more,
        })
      : undefined;
    replay({ method: this.#method, headers: this.#headers }, this.#res, response, status);
  }

  /** @see RFC 9111 §5.2.1.7 */
  #refuse(): void {
    this.#state = 'hit';
    const status = tellOutcome(this.#req, this.settings, { detail: 'only-if-cached' });
    addCacheStatus(this.#res, status);
    this.#res.statusCode = 504;
    this.#res.end();
  }

  /** Has the page rendered anew behind the scenes, unless that is under way or failed just now. */
  #refresh(lookup: PageLookup): Promise<Landing> | undefined {
    const { storageKey, vary = [] } = lookup;
    const flights = this.#flights();
    if (flights === undefined || flights.isBackingOff(storageKey, Date.now())) return undefined;
    const underWay = flights.get(storageKey);
    if (underWay?.isOlderThan(this.settings.waitMs) === false) return underWay.landing;
    const flight = flights.begin(storageKey);
    const { settings } = this;
    // The language is in the key, and was most probably taken from there.
    const keyed = settings.language === undefined ? vary : [...vary, 'accept-language'];
    const headers = Object.fromEntries(
      keyed.flatMap((name) => {
        const value = name === REWRITTEN_TARGET ? undefined : this.#headers[name];
        return value === undefined ? [] : [[name, String(value)]];
      }),
    );
    let hasLanded = false;
    const land = (landing: Landing): void => {
      if (hasLanded) return;
      hasLanded = true;
      const now = Date.now();
      // A handler that answered with an error was noted already.
      const isFailure = landing.kind !== 'stored' && !flights.isBackingOff(storageKey, now);
      if (isFailure) flights.markFailed(storageKey, now);
      flight.land(landing);
    };
    // Not in the way of the answer that this is about.
    setImmediate(() => {
      try {
        runDetached(this.#req, this.#key!.url, headers, { key: storageKey, land });
      } catch (error) {
        reportFailure(settings, error, { operation: 'write', key: storageKey });
        land({ kind: 'failed' });
      }
    });
    return flight.landing;
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

  /** Lets the handlers run, on a request that asks for the whole page. */
  #run(lookup: PageLookup, next: Next, flight: Flight | undefined): void {
    const { response, vary, storageKey } = lookup;
    const wishes = this.#wishes();
    this.#state = 'missed';
    this.#flight = flight;
    this.#storageKey = storageKey;
    this.#stale = response;
    this.#isTargetKeyed =
      this.#headers[REWRITTEN_TARGET] !== undefined || vary?.includes(REWRITTEN_TARGET) === true;
    this.#mustNotStore = wishes?.noStore === true;
    this.#requestedAt = Date.now();
    this.#begunAt = invalidationClock();
    const missed = vary === undefined || vary.length === 0 ? 'uri-miss' : 'vary-miss';
    const isStale = response !== undefined && !response.isFresh(this.#requestedAt);
    const fwd = response === undefined ? missed : isStale ? 'stale' : 'request';
    this.#outcome = { fwd, detail: 'not-stored' };
    if (flight !== undefined) {
      // Its client may be gone already, with whoever would tell of it.
      if (this.#res.destroyed) flight.land({ kind: 'failed' });
      this.#res.once('close', () => flight.land({ kind: 'failed' }));
    }
    this.#prepareRequest();
    if (!this.#isWatching) this.watchResponse();
    const { varyOnRead } = this.settings;
    if (varyOnRead !== undefined)
      this.#tracker = trackReads(this.#req, this.#res, {
        ignored: varyOnRead,
        isSessionKeyed: this.settings.cookies === undefined,
      });
    next();
  }

  /**
   * Takes from the request what asks for less than the page, and puts in the question whether the
   * stored one still holds. A page that is not stored anyway is asked for as the client did.
   */
  #prepareRequest(): void {
    const { targetRule, cookies } = this.settings;
    if (targetRule !== undefined) applyTargetRule(this.#req, targetRule);
    const headers = headersOf(this.#req);
    if (cookies !== undefined) hideOtherCookies(this.#req, cookies);
    const { [REWRITTEN_TARGET]: target } = this.#headers;
    this.#headers = { ...headers, ...(target !== undefined && { [REWRITTEN_TARGET]: target }) };
    const isStorable =
      this.#stale !== undefined || !this.#flights()?.isUncacheable(this.#storageKey, Date.now());
    if (isStorable) {
      for (const name of PARTIAL_HEADERS) {
        if (headers[name] === undefined) continue;
        delete headers[name];
        this.#hasStripped = true;
      }
    }
    const stale = this.#stale;
    if (stale === undefined || !hasValidator(stale.field)) return;
    const etag = stale.field('etag');
    const lastModified = stale.field('last-modified');
    if (etag !== undefined) headers['if-none-match'] = String(etag);
    if (lastModified !== undefined) headers['if-modified-since'] = String(lastModified);
    this.#isValidating = true;
  }

  /** Decides on the handlers' response as its head is sent. */
  #onHead(): HeadDecision {
    const res = this.#res;
    const { statusCode: sent } = res;
    const now = Date.now();
    if (ERRORS.has(sent)) {
      this.#flights()?.markFailed(this.#staleGet?.storageKey ?? this.#storageKey, now);
      const standIn = this.#stale ?? this.#staleGet?.response;
      if (standIn?.isServableOnError(now)) return this.#standIn(standIn, now);
    }
    if (!this.#isValidating || sent !== 304 || this.#isAnswerToClient()) return this.#judge(now);
    const confirmed = this.#stale!;
    const hasExpires = res.hasHeader('Expires');
    putHead(res, confirmed, updatedFields(confirmed, res, now));
    this.#outcome = { ...this.#outcome, fwdStatus: sent };
    const { limit } = this.#judge(now, hasExpires);
    // What is kept is the head that stands there now, before it is changed for this client.
    const head = limit === undefined ? undefined : snapshot(res);
    if (head !== undefined) this.#store({ ...head, body: confirmed.body });
    else if (limit !== undefined) this.#onAbandoned('unfit');
    return { body: confirmed.body };
  }

  /** Whether a 304 is what middleware made of a new page for a client that has it already. */
  #isAnswerToClient(): boolean {
    const isAsking = this.#hasStripped && cachePreconditions(this.#headers) !== undefined;
    return isAsking && !isAbout(this.#stale!, this.#res);
  }

  /** Sends a stale page in place of an error. @see RFC 5861 §4 */
  #standIn(response: StoredResponse, now: number): HeadDecision {
    const res = this.#res;
    this.#outcome = {
      fwd: 'stale',
      fwdStatus: res.statusCode,
      ttl: response.remainingSeconds(now),
      detail: 'error',
    };
    putHead(res, response, response.fields);
    const age = response.age(now);
    if (age !== undefined) res.setHeader('Age', age);
    // Those who wait look again, and find the same stale page in the back-off.
    this.#land({ kind: 'failed' });
    return { body: response.body };
  }

  /**
   * Decides on the page whose head is on the response.
   *
   * @param hasOwnExpires - Whether its `Expires` is of today, and not of an earlier run.
   */
  #judge(now: number, hasOwnExpires = true): HeadDecision {
    const res = this.#res;
    const status = res.statusCode;
    const verdict = judgeResponse(status, fieldsOf(res), this.settings, this.#facts());
    // Credentials single out a visitor, unless the response says that it is for all.
    if (verdict.refusal === undefined || verdict.patchSeconds !== undefined)
      this.#keepToCredentials();
    if (verdict.patchSeconds !== undefined) {
      if (!hasOwnExpires) res.removeHeader('Expires');
      patchFreshnessHeaders(res, verdict.patchSeconds);
    }
    const reads = this.#tracker?.reads;
    const refusal =
      verdict.terms === undefined || this.#mustNotStore
        ? (verdict.refusal ?? 'no-store')
        : reads?.identity === undefined
          ? undefined
          : 'identity';
    if (refusal === undefined && reads !== undefined) {
      if (reads.headers.size > 0) patchVaryHeaders(res, [...reads.headers].map(spelt));
      // Middleware that echoes it may stand outside, where nobody sees what it reads.
      const allowed = res.getHeader('access-control-allow-origin');
      if (allowed !== undefined && allowed === this.#headers.origin) {
        patchVaryHeaders(res, ['Origin']);
      }
    }
    if (this.#staleGet !== undefined) this.#onHeadOfStored(refusal, now);
    if (refusal !== undefined) return this.#onRefused(refusal, status);
    const terms = verdict.terms!;
    // Sent now rather than added by Node, so that a hit repeats it.
    if (res.sendDate && !res.hasHeader('Date')) res.setHeader('Date', formatHttpDate(now));
    this.#terms = terms;
    this.#sentAt = now;
    this.#ageFrom = ageOrigin(fieldsOf(res), verdict.patchSeconds !== undefined, now, terms);
    this.#vary = this.#varyOf(res.getHeader('vary') as HeaderValue);
    this.#outcome = { ...this.#outcome, stored: true, ttl: terms.seconds, detail: undefined };
    return { limit: this.settings.maxBytes };
  }

  #facts() {
    const { authorization } = this.#headers;
    return {
      hasCredentials: authorization !== undefined && authorization !== '',
      pageSeconds: this.#pageSeconds,
      requestedAt: this.#requestedAt,
    };
  }

  #keepToCredentials(): void {
    if (!this.#facts().hasCredentials || !this.settings.patchHeaders) return;
    const directives = parseCacheControl(this.#res.getHeader('cache-control') as HeaderValue);
    if (!hasDirective(directives, 'public')) patchVaryHeaders(this.#res, ['Authorization']);
  }

  #onRefused(refusal: NotStored, status: number): HeadDecision {
    this.#outcome = { ...this.#outcome, detail: refusal };
    // An error says nothing of the page itself, and this client's wishes nothing of the next one's.
    if (!ERRORS.has(status) && status !== 304 && !this.#mustNotStore) {
      this.#flights()?.markUncacheable(this.#storageKey, Date.now());
    }
    this.#land({ kind: 'uncacheable' });
    return {};
  }

  /** A HEAD tells whether the stored GET still holds. @see RFC 9111 §4.3.5 */
  #onHeadOfStored(refusal: NotStored | undefined, now: number): void {
    const { key, response } = this.#staleGet!;
    const res = this.#res;
    if (res.statusCode !== 200) return;
    if (!isSameRepresentation(response, res)) {
      void removePage(this.settings, key);
      return;
    }
    if (refusal === 'identity' || this.#mustNotStore) return;
    const fields = updatedFields(response, res, now);
    const field = (name: string) => fieldOf(fields, name);
    const { terms, patchSeconds } = judgeResponse(
      response.status,
      field,
      this.settings,
      this.#facts(),
    );
    if (terms === undefined || isInvalidatedSince(key.url, this.#begunAt)) return;
    const updated = new StoredResponse({
      ...response,
      ...terms,
      fields: without(fields, terms.withheld),
      storedAt: now,
      staleAt: now + terms.seconds * 1000,
      ageFrom: ageOrigin(field, patchSeconds !== undefined, now, terms),
    });
    void storeResponse(this.settings, key, this.#varyOf(field('vary')), this.#headers, updated);
  }

  #varyOf(value: HeaderValue): readonly string[] {
    const names = varyingNames(value, this.settings);
    return this.#isTargetKeyed ? [REWRITTEN_TARGET, ...names] : names;
  }

  /** Answers the client's own preconditions, which the handlers were not shown. */
  #onFinalHead(): boolean {
    const res = this.#res;
    const status = tellOutcome(this.#req, this.settings, this.#outcome);
    let isBodiless = false;
    const preconditions = this.#hasStripped ? cachePreconditions(this.#headers) : undefined;
    if (preconditions !== undefined && res.statusCode >= 200 && res.statusCode < 300) {
      isBodiless = applyPreconditions(res, this.#method, preconditions, validatorsOf(res));
    }
    addCacheStatus(res, status);
    return isBodiless;
  }

  #store(recording: Recording): void {
    const terms = this.#terms!;
    if (this.#hasReadMore()) {
      this.#onAbandoned('unfit');
      return;
    }
    const { seconds, withheld } = terms;
    const response = new StoredResponse({
      ...terms,
      ...recording,
      fields: without(recording.fields, withheld),
      storedAt: this.#sentAt,
      staleAt: this.#sentAt + seconds * 1000,
      ageFrom: this.#ageFrom,
    });
    this.#keep(this.#key!, this.#vary, response);
  }

  #onAbandoned(reason: 'gone' | 'unfit'): void {
    if (reason === 'gone') {
      this.#land({ kind: 'failed' });
      return;
    }
    this.#flights()?.markUncacheable(this.#storageKey, Date.now());
    this.#land({ kind: 'uncacheable' });
  }

  /** Whether the handlers read something after the head, too late to be told of in `Vary`. */
  #hasReadMore(): boolean {
    const reads = this.#tracker?.reads;
    if (reads === undefined) return false;
    const told = new Set(parseVary(this.#res.getHeader('vary') as HeaderValue).map(lowerCase));
    return reads.identity !== undefined || [...reads.headers].some((name) => !told.has(name));
  }

  #keep(key: PageKey, vary: readonly string[], response: StoredResponse): void {
    if (isInvalidatedSince(key.url, this.#begunAt)) {
      this.#land({ kind: 'uncacheable' });
      return;
    }
    const flights = this.#flights();
    const now = Date.now();
    // To be validated each time, it spares nobody who waits for it a run of their own.
    const isShared = response.isFresh(now);
    if (isShared) flights?.markStored(this.#storageKey);
    else flights?.markUncacheable(this.#storageKey, now);
    // Never rejects: a cache that fails is reported, and the visitor has the page already.
    const written = storeResponse(this.settings, key, vary, this.#headers, response);
    this.#land(
      !isShared
        ? { kind: 'uncacheable' }
        : {
            kind: 'stored',
            variant: variantOf(vary, this.#headers, this.settings),
            vary,
            response,
            begunAt: this.#begunAt,
            written,
          },
    );
  }

  #land(landing: Landing): void {
    this.#flight?.land(landing);
    const run = detachedRunOf(this.#req);
    if (run?.key === this.#storageKey) run.land(landing);
  }
}

const lowerCase = (name: string) => name.toLowerCase();

/** `accept-language` as `Accept-Language`. */
function spelt(name: string): string {
  return name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase());
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

function without(
  fields: Recording['fields'],
  names: ReadonlySet<string>,
): (string | readonly string[])[] {
  const kept: (string | readonly string[])[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (!names.has((fields[i] as string).toLowerCase())) kept.push(fields[i]!, fields[i + 1]!);
  }
  return kept;
}
