import { type CacheControl, isNamed, MAX_DELTA_SECONDS } from './cache-control';
import type { FieldLookup } from './field-lookup';
import { type HeaderValue, headerLines } from './header-value';
import { parseHttpDate } from './http-date';
import type { ResponsePolicy } from './response-policy';

/** How long a response is fresh, and where it says so. */
export interface Lifetime {
  readonly seconds: number;
  readonly source: 's-maxage' | 'max-age' | 'expires' | 'heuristic';
}

/**
 * The freshness lifetime that a response gives itself for a shared cache: `s-maxage`, `max-age`,
 * `Expires`. `undefined` if none of them is there and readable; an unreadable `Expires` lies in
 * the past.
 *
 * @param receivedAt - When the response was received, epoch ms: `Expires` counts from here if it
 *   has no valid `Date`.
 * @see RFC 9111 §4.2.1
 */
export function statedLifetime(
  { directives, isTargeted }: ResponsePolicy,
  field: FieldLookup,
  receivedAt: number,
): Lifetime | undefined {
  for (const source of ['s-maxage', 'max-age'] as const) {
    const seconds = firstSeconds(directives, source);
    if (seconds !== undefined) return { seconds, source };
  }
  const expires = field('expires');
  if (isTargeted || expires === undefined) return undefined;
  const expiresAt = expiryDate(firstLine(expires));
  const date = parseHttpDate(field('date')) ?? receivedAt;
  const seconds = expiresAt === undefined ? 0 : Math.round((expiresAt - date) / 1000);
  return { seconds: Math.min(Math.max(seconds, 0), MAX_DELTA_SECONDS), source: 'expires' };
}

/** What is no HTTP-date, such as a date without a zone or with an offset from UTC, has expired (RFC 9111 §5.3). */
function expiryDate(text: string | undefined): number | undefined {
  // The one format that has no zone ends in the year.
  return text === undefined || /:\d\d$/.test(text.trim()) ? undefined : parseHttpDate(text);
}

/** Final statuses that may be given a lifetime by guess. */
const HEURISTIC_STATUSES = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);

/**
 * A tenth of the time since the response was last modified, for the statuses and the responses
 * that allow a guess. At most a day.
 *
 * @see RFC 9111 §4.2.2; RFC 9110 §15.1
 */
export function heuristicLifetime(
  status: number,
  { directives }: ResponsePolicy,
  field: FieldLookup,
  receivedAt: number,
): Lifetime | undefined {
  const isAllowed =
    HEURISTIC_STATUSES.has(status) || directives.some((directive) => isNamed(directive, 'public'));
  const lastModified = parseHttpDate(field('last-modified'));
  if (!isAllowed || lastModified === undefined) return undefined;
  const date = parseHttpDate(field('date')) ?? receivedAt;
  const seconds = Math.floor((date - lastModified) / 10_000);
  return seconds > 0 ? { seconds: Math.min(seconds, 86_400), source: 'heuristic' } : undefined;
}

/**
 * The age that a response had when it was received, in seconds.
 *
 * @see RFC 9111 §4.2.3
 */
export function initialAge(field: FieldLookup, requestedAt: number, receivedAt: number): number {
  const date = parseHttpDate(field('date')) ?? receivedAt;
  const apparent = Math.max(0, Math.floor((receivedAt - date) / 1000));
  const stated = ageValue(field('age'));
  if (stated === undefined) return apparent;
  const delay = Math.floor((receivedAt - requestedAt) / 1000);
  return Math.max(apparent, Math.min(stated + delay, MAX_DELTA_SECONDS));
}

/** The first value of an `Age` field; `undefined` if it is no number of seconds. */
function ageValue(value: HeaderValue): number | undefined {
  const first = firstLine(value)?.split(',', 1)[0]?.trim();
  if (first === undefined || !/^[0-9]+$/.test(first)) return undefined;
  return Math.min(Number(first), MAX_DELTA_SECONDS);
}

/** Of a directive that is given more than once, the first counts (RFC 9111 §4.2.1). */
export function firstSeconds(directives: CacheControl, name: string): number | undefined {
  const value = directives.find((directive) => isNamed(directive, name))?.value;
  if (value === undefined || !/^[0-9]+$/.test(value)) return undefined;
  return Math.min(Number(value), MAX_DELTA_SECONDS);
}

function firstLine(value: HeaderValue): string | undefined {
  return headerLines(value)[0];
}
