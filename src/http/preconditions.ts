import { matchesStrongly, matchesWeakly, parseEtags } from './entity-tags';
import type { HeaderValue } from './header-value';
import { parseHttpDate } from './http-date';

/** The preconditions of a request, as it sent them. */
export interface Preconditions {
  readonly ifMatch: HeaderValue;
  readonly ifUnmodifiedSince: HeaderValue;
  readonly ifNoneMatch: HeaderValue;
  readonly ifModifiedSince: HeaderValue;
}

/** What identifies the present state of a resource. */
export interface Validators {
  /** With its quotes, and `W/` if it is weak. `undefined`: none known. */
  readonly etag?: string | undefined;
  /** Epoch milliseconds. `undefined`: not known. */
  readonly lastModifiedAt?: number | undefined;
}

/** What the preconditions ask for: to go on, or to answer 304 or 412 in place of the resource. */
export type PreconditionOutcome = 'proceed' | 'not-modified' | 'precondition-failed';

/** Takes the preconditions from request headers; `undefined` if there are none. */
export function readPreconditions(
  headers: Readonly<Record<string, HeaderValue>>,
): Preconditions | undefined {
  const preconditions = {
    ifMatch: headers['if-match'],
    ifUnmodifiedSince: headers['if-unmodified-since'],
    ifNoneMatch: headers['if-none-match'],
    ifModifiedSince: headers['if-modified-since'],
  };
  return Object.values(preconditions).some(isPresent) ? preconditions : undefined;
}

/**
 * Those preconditions that concern a cache. `If-Match` and `If-Unmodified-Since` guard the state at
 * the origin, and a cache may ignore them (RFC 9110 §13.1.1, §13.1.4).
 */
export function cachePreconditions(
  headers: Readonly<Record<string, HeaderValue>>,
): Preconditions | undefined {
  const ifNoneMatch = headers['if-none-match'];
  const ifModifiedSince = headers['if-modified-since'];
  if (!isPresent(ifNoneMatch) && !isPresent(ifModifiedSince)) return undefined;
  return { ifMatch: undefined, ifUnmodifiedSince: undefined, ifNoneMatch, ifModifiedSince };
}

/**
 * Evaluates the preconditions of a request against the validators of its resource, in the order
 * of RFC 9110 §13.2.2. `If-Range` is not among them.
 *
 * @see Django's `get_conditional_response`
 */
export function evaluatePreconditions(
  method: string | undefined,
  preconditions: Preconditions,
  validators: Validators,
): PreconditionOutcome {
  const isRead = method === 'GET' || method === 'HEAD';
  if (isPresent(preconditions.ifMatch)) {
    if (!ifMatchHolds(preconditions.ifMatch, validators)) return 'precondition-failed';
  } else if (!ifUnmodifiedSinceHolds(preconditions.ifUnmodifiedSince, validators)) {
    return 'precondition-failed';
  }
  if (isPresent(preconditions.ifNoneMatch)) {
    if (ifNoneMatchHolds(preconditions.ifNoneMatch, validators)) return 'proceed';
    return isRead ? 'not-modified' : 'precondition-failed';
  }
  if (isRead && !ifModifiedSinceHolds(preconditions.ifModifiedSince, validators)) {
    return 'not-modified';
  }
  return 'proceed';
}

function isPresent(value: HeaderValue): boolean {
  return value !== undefined && value !== '';
}

function ifMatchHolds(value: HeaderValue, { etag }: Validators): boolean {
  if (etag === undefined) return false;
  const tags = parseEtags(value);
  return tags[0] === '*' || matchesStrongly(etag, tags);
}

function ifNoneMatchHolds(value: HeaderValue, { etag }: Validators): boolean {
  if (etag === undefined) return true;
  const tags = parseEtags(value);
  return tags[0] !== '*' && !matchesWeakly(etag, tags);
}

function ifUnmodifiedSinceHolds(value: HeaderValue, { lastModifiedAt }: Validators): boolean {
  const since = parseHttpDate(value);
  if (since === undefined) return true;
  return lastModifiedAt !== undefined && wholeSecond(lastModifiedAt) <= since;
}

function ifModifiedSinceHolds(value: HeaderValue, { lastModifiedAt }: Validators): boolean {
  const since = parseHttpDate(value);
  if (since === undefined || lastModifiedAt === undefined) return true;
  return wholeSecond(lastModifiedAt) > since;
}

/** The resolution of a date in HTTP: what was sent as `Last-Modified` must compare as equal. */
function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
