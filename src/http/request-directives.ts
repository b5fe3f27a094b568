import { hasDirective, parseCacheControl } from './cache-control';
import { firstSeconds } from './freshness';
import type { HeaderValue } from './header-value';

/** What a client asks of caches on the way. */
export interface RequestDirectives {
  readonly noCache: boolean;
  readonly noStore: boolean;
  readonly onlyIfCached: boolean;
  /** Highest age that is wanted, seconds. */
  readonly maxAge: number | undefined;
  /** Seconds for which the response must still be fresh. */
  readonly minFresh: number;
  /** Seconds for which it may have been stale; `Infinity`: any. */
  readonly maxStale: number;
}

/**
 * Reads a request's `Cache-Control`, or where there is none its `Pragma: no-cache`.
 *
 * @see RFC 9111 §5.2.1, §5.4
 */
export function requestDirectives(
  cacheControl: HeaderValue,
  pragma: HeaderValue,
): RequestDirectives {
  const directives = parseCacheControl(cacheControl ?? pragma);
  const staleSeconds = firstSeconds(directives, 'max-stale');
  return {
    noCache: hasDirective(directives, 'no-cache'),
    noStore: cacheControl !== undefined && hasDirective(directives, 'no-store'),
    onlyIfCached: hasDirective(directives, 'only-if-cached'),
    maxAge: firstSeconds(directives, 'max-age'),
    minFresh: firstSeconds(directives, 'min-fresh') ?? 0,
    maxStale:
      staleSeconds ?? (hasDirective(directives, 'max-stale') ? Number.POSITIVE_INFINITY : 0),
  };
}
