import type { ServerResponse } from 'node:http';
import { leaveScope, runInScope } from '../cache/render-scope';
import { applyPreconditions, validatorsOf } from '../headers/conditional-response';
import { onFinalHead } from '../headers/final-head';
import type { Next } from '../headers/middleware';
import { cachePreconditions } from '../http/preconditions';
import { isServableDisconnected } from '../http/staleness';
import { takeCacheTags } from './cache-tags';
import { isClientGone, onceClientGone } from './client-gone';
import { FillOutcome, isPassing } from './fill-outcome';
import { type FillStart, isOverridden } from './fill-start';
import type { Flight } from './flights';
import { tellClient } from './for-client';
import { isAbout, updatedFields } from './freshen';
import { changesBetween, type Head, headOf } from './head-changes';
import { HeadJudge, type HeadVerdict, type PageRefusal, type Storable } from './head-judge';
import { confirmStoredGet } from './head-of-stored';
import { InputRecorder } from './inputs/input-recorder';
import { endObservation } from './inputs/observe-before';
import { watchSession } from './inputs/session-watch';
import { InsideGate } from './inside-gate';
import { offerStale } from './origin-unreachable';
import { PageScope } from './page-scope';
import type { PageSettings } from './page-settings';
import { type PreparedRequest, prepareRequest } from './prepare-request';
import { type HeadDecision, type RecorderEvents, type Recording, snapshot } from './recorder';
import { storeRecording } from './store-recording';
import { fieldsNow, fieldsSent, putStored, type SentHead } from './stored-in-place';
import type { StoredResponse } from './stored-response';

type InsideHead = Required<Pick<SentHead, 'head' | 'changes'>>;

/**
 * One run of the handlers after a miss: what they are asked, and what becomes of their response. The
 * response passes three places on its way out: the gate, where the code inside ends; the recorder, which
 * stands where the bytes are final; and Node, where the head is.
 */
export class PageFill implements RecorderEvents {
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
  readonly #outcome: FillOutcome;
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
    this.#outcome = new FillOutcome(start, this.#requestedAt);
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
      maxSeconds: () => this.#scope.maxSeconds(settings),
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
    if (isOverridden(this.#start)) return this.#refuse('method');
    if (isPassing(sent)) {
      flights?.markFailed(staleGet?.storageKey ?? lookup.storageKey, now);
      const standIn = this.#standInResponse;
      const isServable = this.#isUnreachable || standIn?.isServableOnError(now) === true;
      if (standIn !== undefined && isServable) return this.#standIn(standIn, now);
    }
    const isConfirming = this.#prepared.isValidating && sent === 304 && !this.#isAnswerToClient();
    return isConfirming ? this.#confirm(lookup.response!, now) : this.#decide(now);
  }

  /** Whether a 304 is what middleware made of a new page for a client that has it already. */
  #isAnswerToClient(): boolean {
    const { values, lookup } = this.#start;
    const isAsking = this.#prepared.hasStripped && cachePreconditions(values.headers) !== undefined;
    return isAsking && !isAbout(lookup.response!, this.#res);
  }

  /** Sends a stale page in place of an error. @see RFC 5861 §4 */
  #standIn(response: StoredResponse, now: number): HeadDecision {
    const res = this.#res;
    leaveScope(this);
    this.#outcome.standIn(response, now);
    putStored(res, response, response.agelessFields, this.#sentHead);
    const age = response.age(now);
    if (age !== undefined) res.setHeader('Age', age);
    const remainingSeconds = response.remainingSeconds(now);
    const client = { privacy: response.privacy, remainingSeconds, age: age ?? 0 };
    tellClient(res, client, this.#start.values.sent, this.#settings);
    return { body: response.body };
  }

  /** Sends the stored page in place of a 304 that says that it still holds. */
  #confirm(stored: StoredResponse, now: number): HeadDecision {
    const res = this.#res;
    const sent = fieldsSent(this.#sentHead);
    putStored(res, stored, updatedFields(stored, sent, res, now), this.#sentHead);
    this.#outcome.confirm();
    this.#confirmed = stored;
    const { limit } = this.#decide(now, { hasExpires: sent.has('expires') });
    // What is kept is the head that stands there now, before it is changed for this client.
    const recorded = limit === undefined ? undefined : snapshot(res);
    if (recorded !== undefined) this.onComplete({ ...recorded, body: stored.body });
    else if (limit !== undefined) this.onAbandoned('unfit');
    return { body: stored.body };
  }

  get #sentHead(): SentHead {
    return { before: this.#headAtLookup, ...this.#inside };
  }

  #decide(now: number, { hasExpires = true } = {}): HeadDecision {
    const verdict = this.#judge.decide(this.#res.statusCode, {
      now,
      hasExpires,
      confirmed: this.#confirmed,
    });
    this.#verdict = verdict;
    const { refusal } = verdict;
    const { staleGet } = this.#start;
    if (staleGet !== undefined) {
      confirmStoredGet(this.#start, staleGet, refusal, this.#judge, {
        now,
        sent: fieldsNow(this.#res, this.#sentHead),
      });
    }
    if (refusal !== undefined) return this.#refuse(refusal, verdict);
    this.#outcome.store((verdict as Storable).terms.seconds);
    return { limit: this.#settings.maxBytes };
  }

  #refuse(refusal: PageRefusal | 'method', verdict?: HeadVerdict): HeadDecision {
    leaveScope(this);
    this.#outcome.refuse(refusal, verdict);
    return {};
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
        const { terms, isUnproven } = verdict;
        const privacy = isUnproven ? [] : verdict.privacy;
        const client = { privacy, remainingSeconds: terms.seconds, age: terms.initialAge };
        tellClient(res, client, this.#start.values.sent, this.#settings);
      }
    }
    this.#outcome.tell();
  }

  onComplete(recording: Recording): void {
    const verdict = this.#verdict;
    if (verdict === undefined || verdict.refusal !== undefined) return;
    if (this.#judge.hasLateReason(verdict, recording.body)) {
      this.onAbandoned('unfit');
      return;
    }
    this.#isComplete = true;
    storeRecording(this.#start, {
      response: this.#judge.storedResponse(verdict, recording, {
        head: this.#inside?.head ?? headOf(this.#res),
        changes: this.#inside?.changes,
        confirmed: this.#confirmed,
      }),
      inputs: verdict.inputs,
      isConfirmed: this.#confirmed !== undefined,
      land: (landing) => {
        leaveScope(this);
        this.#outcome.land(landing);
      },
    });
  }

  onAbandoned(reason: 'gone' | 'unfit'): void {
    leaveScope(this);
    this.#outcome.abandon(reason);
  }
}
