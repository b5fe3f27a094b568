import { type CacheControl, hasDirective, parseCacheControl } from './cache-control';
import type { HeaderValue } from './header-value';
import { isToken } from './token';
import { parseVary, varyIncludes } from './vary';

/** The fields of a response that say whether a shared cache may keep it. */
export interface StorabilityFields {
  readonly cacheControl: HeaderValue;
  readonly vary: HeaderValue;
  readonly setCookie: HeaderValue;
}

/** Why a response is not stored. */
export type Refusal = 'private' | 'no-cache' | 'no-store' | 'vary-star' | 'set-cookie';

const REFUSING_DIRECTIVES = ['private', 'no-cache', 'no-store'] as const;

/**
 * Why a shared cache must not keep this response; `undefined` if it may.
 *
 * A response that sets cookies is refused, as it is most often made for one visitor, unless
 * `storeCookies` says that the cookies are everyone's. It is refused all the same if it varies on
 * `Cookie`: then the cookie it sets is part of what distinguishes visitors (CVE-2026-48588).
 *
 * @see RFC 9111 §3; Django's `UpdateCacheMiddleware`
 */
export function refusalOf(
  { cacheControl, vary, setCookie }: StorabilityFields,
  { storeCookies }: { readonly storeCookies: boolean },
): Refusal | undefined {
  const directives = parseCacheControl(cacheControl);
  for (const name of REFUSING_DIRECTIVES) {
    if (hasDirective(directives, name) || isMeant(directives, name)) return name;
  }
  if (parseVary(vary).includes('*')) return 'vary-star';
  if (setCookie !== undefined && !(storeCookies && !varyIncludes(vary, 'Cookie'))) {
    return 'set-cookie';
  }
  return undefined;
}

const QUOTED_STRING = /^"(?:[^"\\]|\\.)*"$/;

/**
 * Whether `name` stands in a directive that cannot be read, as in `private; max-age=60`. Being
 * wrong about that costs a run of the handler, and the other way round it costs somebody's secret.
 *
 * @see RFC 9111 §4.2.1
 */
function isMeant(directives: CacheControl, name: string): boolean {
  return directives.some((directive) => {
    const unreadable: string[] = [];
    if (!isToken(directive.name)) unreadable.push(directive.name);
    const { value } = directive;
    if (value !== undefined && !isToken(value) && !QUOTED_STRING.test(value)) {
      unreadable.push(value);
    }
    return unreadable.some((text) =>
      text
        .toLowerCase()
        .split(/[^\w-]+/)
        .includes(name),
    );
  });
}
