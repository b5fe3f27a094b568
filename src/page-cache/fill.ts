import type { ServerResponse } from 'node:http';
import { leaveScope, runInScope } from '../cache/render-scope';
import { applyPreconditions, validatorsOf } from '../headers/conditional-response';
import { onFinalHead } from '../headers/final-head';
import type { Next, Request } from '../headers/middleware';
import { parseCacheGroups } from '../http/cache-groups';
import type { CacheOutcome } from '../http/cache-status';
import type { HeaderValue } from '../http/header-value';
import { cachePreconditions } from '../http/preconditions';
import { isServableDisconnected } from '../http/staleness';
import { takeCacheTags } from './cache-tags';
import { commit } from './commit';
import { detachedRunOf } from './detached-request';
import type { FillStart } from './fill-start';
import type { Flight, Landing } from './flights';
import { tellClient } from './for-client';
import { isAbout, updatedFields } from './freshen';
import { changesBetween, type Head, type HeadChanges, headOf, putFields } from './head-changes';
import { HeadJudge, type HeadVerdict, type PageRefusal, type Storable } from './head-judge';
import { confirmStoredGet } from './head-of-stored';
import { InputRecorder } from './inputs/input-recorder';
import { endObservation } from './inputs/observe-before';
import { watchSession } from './inputs/session-watch';
import { InsideGate } from './inside-gate';
import { offerStale } from './origin-unreachable';
import { addCacheStatus, tellOutcome } from './outcomes';
import { PageScope } from './page-scope';
import type { PageSettings } from './page-settings';
import type { PageLookup } from './page-store';
import { type PreparedRequest, prepareRequest } from './prepare-request';
import { type HeadDecision, type RecorderEvents, type Recording, snapshot } from './recorder';
import type { StoredResponse } from './stored-response';
import { tellCause } from './told-causes';

/** Answers of handlers that something stale may stand in for (RFC 5861 §4). */
const ERRORS = new Set([500, 502, 503, 504]);

/** What the code inside has done to the head, once it has sent one. */
interface InsideHead {
  readonly head: Head;
  readonly changes: HeadChanges;
}

/**
 * One run of the handlers after a miss: what they are asked, and what becomes of their response. The
 * response passes three places on its way out: the gate, where the code inside ends; the recorder, which
 * stands where the bytes are final; and Node, where the head is.
 */
export class PageFill implements Omit<RecorderEvents, 'isWanted'> {
  readonly #start: FillStart;
  readonly #res: ServerResponse;
  readonly #settings: PageSettings;
  readonly #scope: PageScope;
  readonly #requestedAt = Date.now();
  readonly #headAtLookup: Head;
  /** Names of the headers that the request state is made from; `undefined`: not known. */
  #sources: ReadonlySet<string> | undefined;
  #recorder!: InputRecorder;
  #prepared!: PreparedRequest;
  #judge!: HeadJudge;
  #inside: InsideHead | undefined;
  #verdict: HeadVerdict | undefined;
  #outcome: CacheOutcome;
  /** The stored response that the handlers have confirmed. */
  #confirmed: StoredResponse | undefined;
  /** Whether all of the page is there, and only its tags are still looked at. */
  #isComplete = false;
  /** Whether the handlers have said that they cannot reach the origin. */
  #isUnreachable = false;

  constructor(start: FillStart) {
    this.#start = start;
    this.#res = start.res;
    this.#settings = start.settings;
    this.#scope = PageScope.of(start.res);
    this.#headAtLookup = headOf(start.res);
    this.#outcome = { fwd: forwardReason(start.lookup, this.#requestedAt), detail: 'not-stored' };
  }

  /** The run that others may wait for. */
  get flight(): Flight | undefined {
    return this.#start.flight;
  }

  /** Prepares the request. The response must be recorded before {@link run}. */
  prepare(): void {
    const { req, flight, flights, lookup, values } = this.#start;
    const { response: stale, storageKey, inputs } = lookup;
    if (isClientGone(req, this.#res)) flight?.land({ kind: 'failed' });
    onceClientGone(req, this.#res, () => this.#onClosed());
    this.#prepared = prepareRequest(req, {
      settings: this.#settings,
      stale,
      isStorable: stale !== undefined || !flights?.isUncacheable(storageKey, Date.now()),
      isKnown: inputs !== undefined,
    });
    values.freeze();
    // Only now: getters that middleware has put on the request may read headers late.
    this.#sources = endObservation(req);
    if (this.#standInResponse !== undefined) offerStale(this.#res, () => this.#answerStale());
  }

  /** The stored response that may stand in for an error. */
  get #standInResponse(): StoredResponse | undefined {
    return this.#start.lookup.response ?? this.#start.staleGet?.response;
  }

  /** Answers in place of handlers that cannot reach the origin, if that is allowed. */
  #answerStale(): boolean {
    const standIn = this.#standInResponse;
    if (standIn === undefined || !isServableDisconnected(standIn)) return false;
    this.#isUnreachable = true;
    this.#res.statusCode = 504;
    this.#res.end();
    return true;
  }

  #onClosed(): void {
    if (!this.#isComplete) this.#start.flight?.land({ kind: 'failed' });
    // Handlers need not answer a client that is gone.
    leaveScope(this);
    this.#recorder?.stop();
  }

  /** Runs the handlers, whose fragments are part of this page. */
  run(next: Next): void {
    const { req, res, settings, values, isOutermost } = this.#start;
    const sources = this.#sources;
    const recorder = new InputRecorder(req, res, { values, settings, isOutermost, sources });
    this.#recorder = recorder;
    const hasWrittenSession = watchSession(req, res, (read) => recorder.peek(read));
    this.#judge = new HeadJudge({
      ...this.#start,
      sources,
      recorder,
      hasWrittenSession,
      requestedAt: this.#requestedAt,
      maxSeconds: () => this.#maxSeconds(),
    });
    new InsideGate(res, {
      onInsideHead: (isWhole, body) => this.#onInsideHead(isWhole, body),
      onRefusedEarly: () => this.#onRefusedEarly(),
      onEnded: () => recorder.stop(),
      outside: (work) => recorder.outside(work),
    });
    onFinalHead(res, () => this.#onLastHead());
    recorder.start(this.#prepared.headers);
    runInScope(this.#scope, next, this);
    if (res.destroyed) leaveScope(this);
  }

  /** Others need not wait for a response that says so early that it is not for them. */
  #onRefusedEarly(): void {
    if (this.#inside !== undefined) return;
    this.#start.flight?.land({ kind: 'uncacheable', isLasting: true });
  }

  #onInsideHead(isWhole: boolean, body: (() => Buffer) | undefined): void {
    this.#recorder.settle();
    const head = headOf(this.#res);
    this.#inside = { head, changes: changesBetween(this.#headAtLookup, head) };
    this.#judge.noteInside(isWhole, body, this.#inside.changes);
  }

  mayReplace(): boolean {
    const { lookup, staleGet } = this.#start;
    return lookup.response !== undefined || staleGet !== undefined || this.#prepared.hasStripped;
  }

  /** Decides on the handlers' response, where its bytes are final. */
  onHead(): HeadDecision {
    const res = this.#res;
    takeCacheTags(res, this.#settings);
    const { lookup, staleGet, flights } = this.#start;
    const { statusCode: sent } = res;
    const now = Date.now();
    if (this.#isOverridden()) return this.#refuse('method');
    if (ERRORS.has(sent)) {
      flights?.markFailed(staleGet?.storageKey ?? lookup.storageKey, now);
      const standIn = this.#standInResponse;
      const isServable = this.#isUnreachable || standIn?.isServableOnError(now) === true;
      if (standIn !== undefined && isServable) return this.#standIn(standIn, now);
    }
    const isConfirming = this.#prepared.isValidating && sent === 304 && !this.#isAnswerToClient();
    return isConfirming ? this.#confirm(lookup.response!, now) : this.#decide(now);
  }

  /** Whether the handlers have answered another method than the client will think was answered. */
  #isOverridden(): boolean {
    const { req, method } = this.#start;
    // Where there are no handlers for HEAD, those for GET are let answer it.
    return req.method !== method && !(method === 'HEAD' && req.method === 'GET');
  }

  /** Whether a 304 is what middleware made of a new page for a client that has it already. */
  #isAnswerToClient(): boolean {
    const { values, lookup } = this.#start;
    const isAsking = this.#prepared.hasStripped && cachePreconditions(values.headers) !== undefined;
    return isAsking && !isAbout(lookup.response!, this.#res);
  }

  /** Takes from the response what the code inside has put on it. */
  #takeBack(): void {
    const res = this.#res;
    const { set = new Set(), added = new Map() } = this.#inside?.changes ?? {};
    for (const name of [...set, ...added.keys()]) res.removeHeader(name);
    for (const name of added.keys()) res.setHeader(name, this.#headAtLookup.get(name) as string);
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
    this.#takeBack();
    setStatus(res, response);
    putFields(res, response.agelessFields, response.added, response.removed);
    const age = response.age(now);
    if (age !== undefined) res.setHeader('Age', age);
    // Those who wait look again, and find the same stale page in the back-off.
    this.#land({ kind: 'failed' });
    return { body: response.body };
  }

  /** Sends the stored page in place of a 304 that says that it still holds. */
  #confirm(stored: StoredResponse, now: number): HeadDecision {
    const res = this.#res;
    const sent = new Map<string, string | readonly string[]>();
    const { head = new Map(), changes } = this.#inside ?? {};
    for (const name of changes?.set ?? []) sent.set(name, head.get(name)!);
    const hasExpires = sent.has('expires');
    const fields = updatedFields(stored, sent, res, now);
    this.#takeBack();
    setStatus(res, stored);
    putFields(res, fields, stored.added, stored.removed);
    this.#outcome = { ...this.#outcome, fwdStatus: 304 };
    this.#confirmed = stored;
    const { limit } = this.#decide(now, { hasExpires });
    // What is kept is the head that stands there now, before it is changed for this client.
    const recorded = limit === undefined ? undefined : snapshot(res);
    if (recorded !== undefined) this.onComplete({ ...recorded, body: stored.body });
    else if (limit !== undefined) this.onAbandoned('unfit');
    return { body: stored.body };
  }

  #decide(now: number, { hasExpires = true } = {}): HeadDecision {
    const verdict = this.#judge.decide(this.#res.statusCode, { now, hasExpires });
    this.#verdict = verdict;
    const { refusal } = verdict;
    const { staleGet } = this.#start;
    if (staleGet !== undefined) {
      confirmStoredGet(this.#start, staleGet, refusal, this.#judge, {
        now,
        sent: this.#sentNow(),
      });
    }
    if (refusal !== undefined) return this.#refuse(refusal, verdict);
    const { terms } = verdict as Storable;
    this.#outcome =
      this.#start.noted === undefined
        ? { ...this.#outcome, detail: 'look-up-failed' }
        : { ...this.#outcome, stored: true, ttl: terms.seconds, detail: undefined };
    return { limit: this.#settings.maxBytes };
  }

  /** The fields that the code inside, and this cache, have set on the head as it stands. */
  #sentNow(): Head {
    const names = new Set([
      ...(this.#inside?.changes.set ?? []),
      'cache-control',
      'expires',
      'vary',
    ]);
    return new Map([...headOf(this.#res)].filter(([name]) => names.has(name)));
  }

  #refuse(refusal: string, { input, reader }: Partial<HeadVerdict> = {}): HeadDecision {
    const { mustNotStore, flights, lookup, isFronting } = this.#start;
    const { statusCode } = this.#res;
    if (input !== undefined) {
      tellCause({ refusal: refusal as PageRefusal, input, reader, isFronting });
    }
    const { stored: _stored, ttl: _ttl, ...outcome } = this.#outcome;
    this.#outcome = {
      ...outcome,
      detail: refusal,
      ...(input !== undefined && { input }),
      ...(reader !== undefined && { reader }),
    };
    // An error says nothing of the page itself, and this client's wishes nothing of the next one's.
    const isOfRequest = mustNotStore || refusal === 'method';
    const isLasting = !ERRORS.has(statusCode) && statusCode !== 304 && !isOfRequest;
    if (isLasting) flights?.markUncacheable(lookup.storageKey, Date.now());
    this.#land({ kind: 'uncacheable', isLasting });
    return {};
  }

  /** For how long the fragments let the page be stored. */
  #maxSeconds(): number {
    const { limitToFragments } = this.#settings;
    return limitToFragments ? this.#scope.secondsLeft(Date.now()) : Number.POSITIVE_INFINITY;
  }

  /** Answers the client's own preconditions, which the handlers were not shown. */
  onFinalHead(): boolean {
    const res = this.#res;
    const { values, method } = this.#start;
    const preconditions = this.#prepared.hasStripped
      ? cachePreconditions(values.headers)
      : undefined;
    if (preconditions === undefined || res.statusCode < 200 || res.statusCode >= 300) return false;
    return applyPreconditions(res, method, preconditions, validatorsOf(res));
  }

  /** The last word on the head, once middleware before the cache has had its say, too. */
  #onLastHead(): void {
    const res = this.#res;
    if (this.#verdict !== undefined && this.#verdict.refusal === undefined) {
      const verdict = this.#judge.check(this.#verdict);
      this.#verdict = verdict;
      if (verdict.refusal !== undefined) {
        this.#refuse(verdict.refusal);
      } else if (verdict.isPatched) {
        const { terms, privacy } = verdict;
        const client = { privacy, remainingSeconds: terms.seconds, age: terms.initialAge };
        tellClient(res, client, this.#start.values.sent, this.#settings);
      }
    }
    addCacheStatus(res, tellOutcome(this.#start.req, this.#settings, this.#outcome));
  }

  onComplete(recording: Recording): void {
    const verdict = this.#verdict;
    if (verdict === undefined || verdict.refusal !== undefined) return;
    if (this.#judge.hasLateReason(verdict, recording.body)) {
      this.onAbandoned('unfit');
      return;
    }
    this.#isComplete = true;
    const run = detachedRunOf(this.#start.req);
    if (run !== undefined) run.isComplete = true;
    const { key, values, lookup, flight, flights, noted } = this.#start;
    const inside = this.#inside ?? { head: headOf(this.#res), changes: undefined };
    const response = this.#judge.storedResponse(verdict, recording, {
      ...inside,
      confirmed: this.#confirmed,
    });
    const counters = this.#confirmed === undefined ? undefined : lookup.counters;
    commit(
      {
        settings: this.#settings,
        res: this.#res,
        storageKey: lookup.storageKey,
        flight,
        flights,
        noted,
        groups: parseCacheGroups(this.#res.getHeader('cache-groups') as HeaderValue),
        confirmed: [...(counters?.keys() ?? [])],
        land: (landing) => this.#land(landing),
      },
      { key, inputs: verdict.inputs, values, response },
    );
  }

  onAbandoned(reason: 'gone' | 'unfit'): void {
    if (reason === 'gone') {
      this.#land({ kind: 'failed' });
      return;
    }
    this.#start.flights?.markUncacheable(this.#start.lookup.storageKey, Date.now());
    this.#land({ kind: 'uncacheable', isLasting: true });
  }

  #land(landing: Landing): void {
    leaveScope(this);
    this.#start.flight?.land(landing);
    const run = detachedRunOf(this.#start.req);
    if (run?.key !== this.#start.lookup.storageKey) return;
    // Handlers that fail now may succeed the next time.
    run.land(ERRORS.has(this.#res.statusCode) ? { kind: 'failed' } : landing);
  }
}

function forwardReason(
  { response, inputs, isBlind }: PageLookup,
  now: number,
): CacheOutcome['fwd'] {
  if (response !== undefined) return response.isFresh(now) ? 'request' : 'stale';
  if (isBlind) return 'miss';
  return inputs === undefined || inputs.length === 0 ? 'uri-miss' : 'vary-miss';
}

function setStatus(res: ServerResponse, { status, reason }: StoredResponse): void {
  res.statusCode = status;
  if (!('stream' in res)) res.statusMessage = reason;
}

/** Whether the client hung up. A response that waits behind others on a connection has no socket. */
function isClientGone(req: Request, res: ServerResponse): boolean {
  return res.destroyed || req.destroyed || req.socket?.destroyed === true;
}

/** Calls `listener` when the client hangs up, or the response has ended. */
function onceClientGone(req: Request, res: ServerResponse, listener: () => void): void {
  res.once('close', listener);
  if ('stream' in req) {
    req.stream.once('close', listener);
    return;
  }
  // A response that waits behind others on its connection is not told.
  if (res.socket === null) req.socket?.once('close', listener);
}
