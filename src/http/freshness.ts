import { directiveSeconds, parseCacheControl } from './cache-control';
import type { HeaderValue } from './header-value';

/** How long a response says that it is fresh, and in which directive. */
export interface StatedLifetime {
  readonly seconds: number;
  readonly directive: 's-maxage' | 'max-age';
}

/**
 * The freshness lifetime that a response gives itself: for a shared cache `s-maxage` goes before
 * `max-age`. `undefined` if neither is there and readable.
 *
 * @see RFC 9111 §4.2.1
 */
export function statedLifetime(cacheControl: HeaderValue): StatedLifetime | undefined {
  const directives = parseCacheControl(cacheControl);
  for (const directive of ['s-maxage', 'max-age'] as const) {
    const seconds = directiveSeconds(directives, directive);
    if (seconds !== undefined) return { seconds, directive };
  }
  return undefined;
}
