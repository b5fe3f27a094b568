import type { CacheOutcome } from '../http/cache-status';
import { detachedRunOf } from './detached-request';
import type { FillStart } from './fill-start';
import type { Landing } from './flights';
import type { HeadVerdict, PageRefusal } from './head-judge';
import { addCacheStatus, tellOutcome } from './outcomes';
import type { PageLookup } from './page-store';
import type { StoredResponse } from './stored-response';
import { tellCause } from './told-causes';

/** Answers of handlers that something stale may stand in for (RFC 5861 §4). */
const ERRORS = new Set([500, 502, 503, 504]);

/** Whether handlers that answer so may succeed the next time. */
export function isPassing(status: number): boolean {
  return ERRORS.has(status);
}

/** What came of a run of the handlers: for the client, for those who wait, and for who wants to know. */
export class FillOutcome {
  readonly #start: FillStart;
  #outcome: CacheOutcome;

  constructor(start: FillStart, now: number) {
    this.#start = start;
    this.#outcome = { fwd: forwardReason(start.lookup, now), detail: 'not-stored' };
  }

  /** A stale response is sent in place of an error. */
  standIn(response: StoredResponse, now: number): void {
    this.#outcome = {
      fwd: 'stale',
      fwdStatus: this.#start.res.statusCode,
      ttl: response.remainingSeconds(now),
      detail: 'error',
    };
    // Those who wait look again, and find the same stale page in the back-off.
    this.land({ kind: 'failed' });
  }

  /** The handlers have said that the stored response still holds. */
  confirm(): void {
    this.#outcome = { ...this.#outcome, fwdStatus: 304 };
  }

  /** The response is going to be stored. */
  store(seconds: number): void {
    this.#outcome =
      this.#start.noted === undefined
        ? { ...this.#outcome, detail: 'look-up-failed' }
        : { ...this.#outcome, stored: true, ttl: seconds, detail: undefined };
  }

  /** The response is not stored. */
  refuse(
    refusal: PageRefusal | 'method',
    { input, reader }: Pick<HeadVerdict, 'input' | 'reader'> = {},
  ): void {
    const { mustNotStore, flights, lookup, isFronting, res } = this.#start;
    if (input !== undefined) tellCause({ refusal, input, reader, isFronting });
    const { stored: _stored, ttl: _ttl, ...outcome } = this.#outcome;
    this.#outcome = {
      ...outcome,
      detail: refusal,
      ...(input !== undefined && { input }),
      ...(reader !== undefined && { reader }),
    };
    // An error says nothing of the page itself, and this client's wishes nothing of the next one's.
    const isOfRequest = mustNotStore || refusal === 'method';
    const isLasting = !isPassing(res.statusCode) && res.statusCode !== 304 && !isOfRequest;
    if (isLasting) flights?.markUncacheable(lookup.storageKey, Date.now());
    this.land({ kind: 'uncacheable', isLasting });
  }

  /** The response was to be stored, but came to nothing. */
  abandon(reason: 'gone' | 'unfit'): void {
    const { flights, lookup } = this.#start;
    if (reason === 'unfit') flights?.markUncacheable(lookup.storageKey, Date.now());
    this.land(reason === 'gone' ? { kind: 'failed' } : { kind: 'uncacheable', isLasting: true });
  }

  /** Tells those who wait. */
  land(landing: Landing): void {
    const { req, res, flight, lookup } = this.#start;
    flight?.land(landing);
    const run = detachedRunOf(req);
    if (run?.key !== lookup.storageKey) return;
    run.land(isPassing(res.statusCode) ? { kind: 'failed' } : landing);
  }

  /** Tells subscribers, and the client where the site wants it. */
  tell(): void {
    const { req, res, settings } = this.#start;
    addCacheStatus(res, tellOutcome(req, settings, this.#outcome));
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
