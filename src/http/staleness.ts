import { hasDirective } from './cache-control';
import { firstSeconds } from './freshness';
import type { ResponsePolicy } from './response-policy';
import { isUnqualified } from './storability';

/** What may be done with a response once it is stale, or even before. */
export interface StalenessTerms {
  /** Seconds past its lifetime in which it may be served while it is refreshed. */
  readonly staleWhileRevalidate: number;
  /** Seconds past its lifetime in which it may stand in for an error. */
  readonly staleIfError: number;
  /** Whether it must not be served stale to a client that would take it so (`max-stale`). */
  readonly mustRevalidate: boolean;
  /** Whether it must be validated before each use, fresh or not. */
  readonly alwaysValidate: boolean;
}

/** Seconds that hold for responses that do not say. */
export interface StalenessDefaults {
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
}

/**
 * Whether a cache that cannot reach the origin may serve the response, however stale it is.
 *
 * @see RFC 9111 §4.2.4
 */
export function isServableDisconnected({
  mustRevalidate,
  alwaysValidate,
}: Pick<StalenessTerms, 'mustRevalidate' | 'alwaysValidate'>): boolean {
  return !mustRevalidate && !alwaysValidate;
}

/**
 * Reads the terms of a response. `must-revalidate` and `proxy-revalidate` forbid all that is
 * stale; `s-maxage` forbids it too, unless the response itself asks for it by RFC 5861.
 *
 * @see RFC 9111 §4.2.4; RFC 5861
 */
export function stalenessTerms(
  { directives }: ResponsePolicy,
  defaults: StalenessDefaults,
): StalenessTerms {
  const mustRevalidate =
    hasDirective(directives, 'must-revalidate') || hasDirective(directives, 'proxy-revalidate');
  const forbidsDefaults = mustRevalidate || hasDirective(directives, 's-maxage');
  const seconds = (name: string, fallback: number): number => {
    if (mustRevalidate) return 0;
    return firstSeconds(directives, name) ?? (forbidsDefaults ? 0 : fallback);
  };
  return {
    staleWhileRevalidate: seconds('stale-while-revalidate', defaults.staleWhileRevalidate),
    staleIfError: seconds('stale-if-error', defaults.staleIfError),
    mustRevalidate: forbidsDefaults,
    alwaysValidate: isUnqualified(directives, 'no-cache'),
  };
}
