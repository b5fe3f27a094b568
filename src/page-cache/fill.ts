import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { after, type MaybePromise } from '../cache/maybe-promise';
import { leaveScope, runInScope } from '../cache/render-scope';
import { nameOfGroup, tagName } from '../cache/tag-names';
import type { Counters, Noted } from '../cache/tags';
import { applyPreconditions, validatorsOf } from '../headers/conditional-response';
import type { Next, Request } from '../headers/middleware';
import { patchFreshnessHeaders } from '../headers/patch-freshness';
import { patchVaryHeaders } from '../headers/patch-vary';
import { hasDirective, parseCacheControl } from '../http/cache-control';
import { parseCacheGroups } from '../http/cache-groups';
import type { CacheOutcome } from '../http/cache-status';
import type { HeaderValue } from '../http/header-value';
import { formatHttpDate } from '../http/http-date';
import { cachePreconditions } from '../http/preconditions';
import { hasValidator } from '../http/storability';
import { parseVary } from '../http/vary';
import { tagsOf, takeCacheTags } from './cache-tags';
import { hideOtherCookies } from './cookie-rules';
import { detachedRunOf } from './detached-request';
import type { Flight, Landing, PageFlights } from './flights';
import { isAbout, isSameRepresentation, updatedFields } from './freshen';
import { addCacheStatus, tellOutcome } from './outcomes';
import { ageOrigin, fieldsOf, judgeResponse, type NotStored, type PageTerms } from './page-policy';
import { PageScope } from './page-scope';
import { finishBeforeClose, type PageSettings, reportFailure } from './page-settings';
import {
  type Draft,
  openPlace,
  type PageLookup,
  type Place,
  removePages,
  storeResponse,
} from './page-store';
import { confirmTags } from './page-tags';
import { ReadTracker } from './read-tracker';
import { type HeadDecision, type RecorderEvents, type Recording, snapshot } from './recorder';
import { putHead } from './replay';
import { applyTargetRule, type PageKey, REWRITTEN_TARGET, variantOf } from './request-key';
import { type FieldList, fieldOf, StoredResponse } from './stored-response';
import { varyingNames } from './varying-names';
import { headersOf } from './watched-headers';

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

/** The stored GET to a HEAD, which its answer confirms or refutes. */
export interface StaleGet {
  readonly key: PageKey;
  readonly storageKey: string;
  readonly response: StoredResponse;
  readonly counters: Counters;
}

/** What led to a run of the handlers. */
export interface FillStart {
  readonly req: Request;
  readonly res: ServerResponse;
  /** As it was looked up; handlers may override it. */
  readonly method: string | undefined;
  readonly settings: PageSettings;
  /** The page's own timeout, which goes before all others; `null`: none. */
  readonly pageSeconds: number | null;
  readonly key: PageKey;
  /** What the cache knows of the page. A response in it is stale, but may still hold. */
  readonly lookup: PageLookup;
  /** Request headers as they were looked up. */
  readonly headers: IncomingHttpHeaders;
  /** What others wait for, if they do. */
  readonly flight: Flight | undefined;
  /** `undefined` if there is no backend. */
  readonly flights: PageFlights | undefined;
  readonly staleGet: StaleGet | undefined;
  /** Whether the client has asked that nothing be stored. */
  readonly mustNotStore: boolean;
  /** The counters of the page's tags; `undefined` if the backend did not tell. */
  readonly noted: Noted | undefined;
}

/**
 * One run of the handlers after a miss: what they are asked, and what becomes of their response.
 */
export class PageFill implements Omit<RecorderEvents, 'isWanted'> {
  readonly #req: Request;
  readonly #res: ServerResponse;
  readonly #method: string | undefined;
  readonly #settings: PageSettings;
  readonly #pageSeconds: number | null;
  readonly #key: PageKey;
  readonly #storageKey: string;
  readonly #flight: Flight | undefined;
  readonly #flights: PageFlights | undefined;
  /** Whether the backend failed to say what it has. */
  readonly #isBlind: boolean;
  readonly #stale: StoredResponse | undefined;
  readonly #staleGet: StaleGet | undefined;
  readonly #mustNotStore: boolean;
  /** Whether pages of this URL are kept apart by the target that handlers are asked for. */
  readonly #isTargetKeyed: boolean;
  readonly #requestedAt = Date.now();
  readonly #noted: Noted | undefined;
  /** Of the stale response, as it bears them. */
  readonly #staleCounters: Counters | undefined;
  /** Request headers as they came; handlers see, and may make, others. */
  #headers: IncomingHttpHeaders;
  #isValidating = false;
  /** Whether the head leaves before all that the handlers read is known. */
  #isStreamed = false;
  #hasStripped = false;
  /** Whether all of the page is there, and only its tags are still looked at. */
  #isComplete = false;
  /** Whether what is kept is the stale response, which has its tags already. */
  #isConfirmed = false;
  #terms: PageTerms | undefined;
  #sentAt = 0;
  #ageFrom: number | undefined;
  #vary: readonly string[] = [];
  #groups: readonly string[] = [];
  readonly #scope: PageScope;
  #outcome: CacheOutcome;
  #reads: ReadTracker | undefined;

  constructor(start: FillStart) {
    const { response, counters, vary, storageKey, isBlind } = start.lookup;
    this.#req = start.req;
    this.#res = start.res;
    this.#method = start.method;
    this.#scope = PageScope.of(start.res);
    this.#settings = start.settings;
    this.#pageSeconds = start.pageSeconds;
    this.#key = start.key;
    this.#storageKey = storageKey;
    this.#flight = start.flight;
    this.#flights = start.flights;
    this.#stale = response;
    this.#staleGet = start.staleGet;
    this.#mustNotStore = start.mustNotStore;
    this.#noted = start.noted;
    this.#staleCounters = counters;
    this.#headers = start.headers;
    this.#isTargetKeyed =
      start.headers[REWRITTEN_TARGET] !== undefined || vary?.includes(REWRITTEN_TARGET) === true;
    this.#isBlind = isBlind;
    this.#outcome = { fwd: this.#reasonToAsk(vary), detail: 'not-stored' };
  }

  #reasonToAsk(vary: readonly string[] | undefined): CacheOutcome['fwd'] {
    if (this.#stale !== undefined) {
      return this.#stale.isFresh(this.#requestedAt) ? 'request' : 'stale';
    }
    if (this.#isBlind) return 'miss';
    return vary === undefined || vary.length === 0 ? 'uri-miss' : 'vary-miss';
  }

  /** The run that others may wait for. */
  get flight(): Flight | undefined {
    return this.#flight;
  }

  /** Makes the request ask for the whole page, before the handlers see it. */
  begin(): void {
    const flight = this.#flight;
    if (flight !== undefined) {
      // Its client may be gone already, with whoever would tell of it.
      if (this.#res.destroyed) flight.land({ kind: 'failed' });
    }
    this.#res.once('close', () => {
      if (!this.#isComplete) flight?.land({ kind: 'failed' });
      // Handlers need not answer a client that is gone.
      leaveScope(this);
    });
    this.#prepareRequest();
  }

  /** Begins to note what the handlers read; the last thing before they run. */
  watchReads(): void {
    const { varyOnRead, cookies } = this.#settings;
    if (varyOnRead === undefined) return;
    this.#reads = new ReadTracker(this.#req, this.#res, {
      ignored: varyOnRead,
      isSessionKeyed: cookies === undefined,
    });
  }

  /** Runs the handlers, whose fragments are part of this page. */
  run(next: Next): void {
    runInScope(this.#scope, next, this);
    if (this.#res.destroyed) leaveScope(this);
  }

  mayReplace(): boolean {
    return this.#stale !== undefined || this.#staleGet !== undefined || this.#hasStripped;
  }

  /**
   * Takes from the request what asks for less than the page, and puts in the question whether the
   * stored one still holds. A page that is not stored anyway is asked for as the client did.
   */
  #prepareRequest(): void {
    const { targetRule, cookies } = this.#settings;
    if (targetRule !== undefined) applyTargetRule(this.#req, targetRule);
    const headers = headersOf(this.#req);
    if (cookies !== undefined) hideOtherCookies(this.#req, cookies);
    const { [REWRITTEN_TARGET]: target } = this.#headers;
    this.#headers = { ...headers, ...(target !== undefined && { [REWRITTEN_TARGET]: target }) };
    const isStorable =
      this.#stale !== undefined || !this.#flights?.isUncacheable(this.#storageKey, Date.now());
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
  onHead(isStreamed: boolean): HeadDecision {
    this.#isStreamed = isStreamed;
    const res = this.#res;
    takeCacheTags(res, this.#settings);
    const { statusCode: sent } = res;
    const now = Date.now();
    if (this.#isOverridden()) return this.#onRefused('method', sent);
    if (ERRORS.has(sent)) {
      this.#flights?.markFailed(this.#staleGet?.storageKey ?? this.#storageKey, now);
      const standIn = this.#stale ?? this.#staleGet?.response;
      if (standIn?.isServableOnError(now)) return this.#standIn(standIn, now);
    }
    if (!this.#isValidating || sent !== 304 || this.#isAnswerToClient()) return this.#judge(now);
    const confirmed = this.#stale!;
    this.#isConfirmed = true;
    const hasExpires = res.hasHeader('Expires');
    putHead(res, confirmed, updatedFields(confirmed, res, now));
    this.#outcome = { ...this.#outcome, fwdStatus: sent };
    const { limit } = this.#judge(now, hasExpires);
    // What is kept is the head that stands there now, before it is changed for this client.
    const head = limit === undefined ? undefined : snapshot(res);
    if (head !== undefined) this.onComplete({ ...head, body: confirmed.body });
    else if (limit !== undefined) this.onAbandoned('unfit');
    return { body: confirmed.body };
  }

  /** Whether the handlers have answered another method than the client will think was answered. */
  #isOverridden(): boolean {
    const { method } = this.#req;
    // Where there are no handlers for HEAD, those for GET are let answer it.
    return method !== this.#method && !(this.#method === 'HEAD' && method === 'GET');
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
    const verdict = judgeResponse(status, fieldsOf(res), this.#settings, this.#facts());
    const reads = this.#reads;
    const refusal =
      verdict.terms === undefined || this.#mustNotStore
        ? (verdict.refusal ?? 'no-store')
        : reads?.identity === undefined
          ? undefined
          : 'identity';
    // What must not be shared leaves as its handler made it: a proxy or a browser would share it, too.
    // A lifetime of the site's own that has passed already is told to clients (CP-06).
    const isTold =
      refusal === undefined || (refusal === 'expired' && reads?.identity === undefined);
    const patchSeconds = isTold && !this.#isStreamed ? verdict.patchSeconds : undefined;
    // Credentials single out a visitor, unless the response says that it is for all.
    if (refusal === undefined || patchSeconds !== undefined) this.#keepToCredentials();
    if (patchSeconds !== undefined) {
      if (!hasOwnExpires) res.removeHeader('Expires');
      patchFreshnessHeaders(res, patchSeconds);
    }
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
    this.#ageFrom = ageOrigin(fieldsOf(res), patchSeconds !== undefined, now, terms);
    this.#vary = this.#varyOf(res.getHeader('vary') as HeaderValue);
    this.#groups = parseCacheGroups(res.getHeader('cache-groups') as HeaderValue);
    this.#outcome =
      this.#noted === undefined
        ? { ...this.#outcome, detail: 'look-up-failed' }
        : { ...this.#outcome, stored: true, ttl: terms.seconds, detail: undefined };
    return { limit: this.#settings.maxBytes };
  }

  #facts() {
    const { authorization } = this.#headers;
    return {
      hasCredentials: authorization !== undefined && authorization !== '',
      pageSeconds: this.#pageSeconds,
      requestedAt: this.#requestedAt,
      maxSeconds: this.#maxSeconds(),
    };
  }

  /** For how long the fragments let the page be stored. */
  #maxSeconds(): number {
    const { limitToFragments } = this.#settings;
    return limitToFragments ? this.#scope.secondsLeft(Date.now()) : Number.POSITIVE_INFINITY;
  }

  #keepToCredentials(): void {
    if (!this.#facts().hasCredentials || !this.#settings.patchHeaders) return;
    const directives = parseCacheControl(this.#res.getHeader('cache-control') as HeaderValue);
    if (!hasDirective(directives, 'public')) patchVaryHeaders(this.#res, ['Authorization']);
  }

  #onRefused(refusal: NotStored, status: number): HeadDecision {
    this.#outcome = { ...this.#outcome, detail: refusal };
    // An error says nothing of the page itself, and this client's wishes nothing of the next one's.
    const isOfRequest = this.#mustNotStore || refusal === 'method';
    const isLasting = !ERRORS.has(status) && status !== 304 && !isOfRequest;
    if (isLasting) this.#flights?.markUncacheable(this.#storageKey, Date.now());
    this.#land({ kind: 'uncacheable', isLasting });
    return {};
  }

  /** A HEAD tells whether the stored GET still holds. @see RFC 9111 §4.3.5 */
  #onHeadOfStored(refusal: NotStored | undefined, now: number): void {
    const { key, response, counters } = this.#staleGet!;
    const res = this.#res;
    if (res.statusCode !== 200) return;
    if (!isSameRepresentation(response, res)) {
      void removePages(this.#settings, [key]);
      return;
    }
    if (refusal === 'identity' || this.#mustNotStore) return;
    const fields = updatedFields(response, res, now);
    const field = (name: string) => fieldOf(fields, name);
    if (String(field('cache-groups')) !== String(response.field('cache-groups'))) {
      // It bears no counters of groups that are new to it.
      void removePages(this.#settings, [key]);
      return;
    }
    const { terms, patchSeconds } = judgeResponse(
      response.status,
      field,
      this.#settings,
      this.#facts(),
    );
    if (terms === undefined) return;
    const updated = new StoredResponse({
      ...response,
      ...terms,
      fields: without(fields, terms.withheld),
      storedAt: now,
      staleAt: now + terms.seconds * 1000,
      ageFrom: ageOrigin(field, patchSeconds !== undefined, now, terms),
    });
    const vary = this.#varyOf(field('vary'));
    const noted = this.#noted;
    if (noted === undefined) return;
    const draft = { key, vary, headers: this.#headers, response: updated };
    // Purged meanwhile or not, its tags will tell; that it was removed, only what was noted.
    const confirm = () =>
      after(confirmTags(this.#settings, noted, []), (confirmed) => confirmed && counters);
    const stored = storeResponse(this.#settings, draft, confirm);
    if (stored instanceof Promise) finishBeforeClose(this.#settings, stored);
  }

  #varyOf(value: HeaderValue): readonly string[] {
    const names = varyingNames(value, this.#settings);
    return this.#isTargetKeyed ? [REWRITTEN_TARGET, ...names] : names;
  }

  /** Answers the client's own preconditions, which the handlers were not shown. */
  onFinalHead(): boolean {
    const res = this.#res;
    const status = tellOutcome(this.#req, this.#settings, this.#outcome);
    let isBodiless = false;
    const preconditions = this.#hasStripped ? cachePreconditions(this.#headers) : undefined;
    if (preconditions !== undefined && res.statusCode >= 200 && res.statusCode < 300) {
      isBodiless = applyPreconditions(res, this.#method, preconditions, validatorsOf(res));
    }
    addCacheStatus(res, status);
    return isBodiless;
  }

  onComplete(recording: Recording): void {
    const terms = this.#terms!;
    if (this.#hasReadMore()) {
      this.onAbandoned('unfit');
      return;
    }
    const { withheld } = terms;
    // Some of its fragments may have come after the head.
    const seconds = Math.min(terms.seconds, this.#maxSeconds());
    const response = new StoredResponse({
      ...terms,
      ...recording,
      fields: dated(without(recording.fields, withheld), this.#sentAt),
      storedAt: this.#sentAt,
      staleAt: this.#sentAt + seconds * 1000,
      ageFrom: this.#ageFrom,
    });
    this.#keep(this.#key, this.#vary, response);
  }

  onAbandoned(reason: 'gone' | 'unfit'): void {
    if (reason === 'gone') {
      this.#land({ kind: 'failed' });
      return;
    }
    this.#flights?.markUncacheable(this.#storageKey, Date.now());
    this.#land({ kind: 'uncacheable', isLasting: true });
  }

  /** Whether the handlers read something after the head, too late to be told of in `Vary`. */
  #hasReadMore(): boolean {
    const reads = this.#reads;
    if (reads === undefined) return false;
    const told = new Set(parseVary(this.#res.getHeader('vary') as HeaderValue).map(lowerCase));
    return reads.identity !== undefined || [...reads.headers].some((name) => !told.has(name));
  }

  /** Keeps the page, unless it was purged while it was made. */
  #keep(key: PageKey, vary: readonly string[], response: StoredResponse): void {
    this.#isComplete = true;
    const run = detachedRunOf(this.#req);
    if (run !== undefined) run.isComplete = true;
    const draft = { key, vary, headers: this.#headers, response };
    const settle = (place: Place, counters: Counters | undefined): void => {
      // Purged. Of those who wait, one makes it anew for all.
      if (counters === undefined) this.#land({ kind: 'failed' });
      else this.#store(draft, counters, () => this.#write(draft, confirm, place, counters));
    };
    const fail = (error: unknown): void => {
      reportFailure(this.#settings, error, { operation: 'read', key: this.#storageKey });
      this.#land({ kind: 'uncacheable', isLasting: false });
    };
    if (this.#noted === undefined) {
      // The backend is down. Those who wait are answered all the same.
      this.#store(draft, undefined, () => {});
      return;
    }
    const noted = this.#noted;
    const late = tagsOf(this.#res).map(tagName);
    for (const group of this.#groups) late.push(nameOfGroup(key.url, group));
    if (this.#isConfirmed) late.push(...(this.#staleCounters?.keys() ?? []));
    const confirm = () => confirmTags(this.#settings, noted, late);
    try {
      // In this order: what is removed before is told by the tags, and after that by the place.
      const settled = after(openPlace(this.#settings, draft), (place) =>
        after(confirm(), (counters) => settle(place, counters)),
      );
      if (!(settled instanceof Promise)) return;
      this.#flight?.confirmWithin(this.#settings.readTimeoutMs);
      finishBeforeClose(this.#settings, settled.catch(fail));
    } catch (error) {
      fail(error);
    }
  }

  #store(
    { vary, response }: Draft,
    counters: Counters | undefined,
    write: () => MaybePromise<void>,
  ): void {
    const flights = this.#flights;
    const now = Date.now();
    // To be validated each time, it spares nobody who waits for it a run of their own.
    const isShared = response.isFresh(now);
    if (isShared) flights?.markStored(this.#storageKey);
    else flights?.markUncacheable(this.#storageKey, now);
    const written = write();
    if (written instanceof Promise) finishBeforeClose(this.#settings, written);
    this.#land(
      !isShared
        ? { kind: 'uncacheable', isLasting: true }
        : {
            kind: 'stored',
            variant: variantOf(vary, this.#headers, this.#settings),
            vary,
            response,
            counters,
            written: written instanceof Promise ? written : undefined,
          },
    );
  }

  /** Never rejects: a cache that fails is reported, and the visitor has the page already. */
  #write(
    draft: Draft,
    confirm: () => MaybePromise<Counters | undefined>,
    place: Place,
    counters: Counters,
  ): MaybePromise<void> {
    return after(this.#flight?.mayStore() ?? true, (mayStore) =>
      mayStore ? storeResponse(this.#settings, draft, confirm, { place, counters }) : undefined,
    );
  }

  #land(landing: Landing): void {
    leaveScope(this);
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

/** A response that came without a `Date` is kept with that of its arrival (RFC 9110 §6.6.1). */
function dated(fields: FieldList, receivedAt: number): FieldList {
  if (fieldOf(fields, 'date') !== undefined) return fields;
  return [...fields, 'Date', formatHttpDate(receivedAt)];
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
