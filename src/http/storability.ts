import { type CacheControl, hasDirective, isNamed } from './cache-control';
import type { FieldLookup } from './field-lookup';
import type { ResponsePolicy } from './response-policy';
import { isToken } from './token';
import { parseVary, varyIncludes } from './vary';

/** Why a response is not stored. */
export type Refusal =
  | 'authorization'
  | 'must-understand'
  | 'no-cache'
  | 'no-store'
  | 'partial'
  | 'private'
  | 'set-cookie'
  | 'status'
  | 'vary-star';

/** How the cache at hand decides where it has a choice. */
export interface StorabilityRules {
  /** Whether responses that set cookies may be stored, with the cookies. */
  readonly storesCookies: boolean;
  /**
   * Whether to store what RFC 9111 allows: `no-cache` responses that have a validator, those with
   * a qualified `private`, and of those to requests with credentials the ones that say they may
   * be shared. Otherwise as Django: the first two not at all; credentials single out an entry.
   */
  readonly isStrict: boolean;
}

/** The response and what of its request matters. */
export interface StorabilityCase {
  readonly status: number;
  readonly policy: ResponsePolicy;
  readonly field: FieldLookup;
  readonly hasCredentials: boolean;
}

/** Statuses whose caching requirements this cache knows. */
const UNDERSTOOD = new Set([
  200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 451, 500, 501,
  502, 503, 504,
]);

/** Directives that let a response to a request with credentials be shared (RFC 9111 §3.5). */
const SHARING = ['public', 's-maxage', 'must-revalidate'];

const OPT_OUTS = ['private', 'no-cache', 'no-store'] as const;

/**
 * Why a shared cache must not keep this response; `undefined` if it may.
 *
 * A response that sets cookies is refused, as it is most often made for one visitor, unless the
 * rules say that the cookies are everyone's. It is refused all the same if it varies on `Cookie`:
 * then the cookie it sets is part of what distinguishes visitors (CVE-2026-48588).
 *
 * @see RFC 9111 §3; Django's `UpdateCacheMiddleware`
 */
export function refusalOf(
  { status, policy, field, hasCredentials }: StorabilityCase,
  { storesCookies, isStrict }: StorabilityRules,
): Refusal | undefined {
  const { directives } = policy;
  if (status === 206) return 'partial';
  if (status < 200 || status === 304 || status > 599) return 'status';
  const isForThoseWhoUnderstand = hasDirective(directives, 'must-understand');
  if (isForThoseWhoUnderstand && !UNDERSTOOD.has(status)) return 'must-understand';
  // For those who understand the status, `must-understand` takes the place of `no-store`.
  if (hasDirective(directives, 'no-store') && !(isStrict && isForThoseWhoUnderstand)) {
    return 'no-store';
  }
  const meant = OPT_OUTS.find((name) => isMeant(directives, name));
  if (meant !== undefined) return meant;
  if (isStrict ? isUnqualified(directives, 'private') : hasDirective(directives, 'private')) {
    return 'private';
  }
  if (hasDirective(directives, 'no-cache')) {
    const isUsable = !isUnqualified(directives, 'no-cache') || hasValidator(field);
    if (!isStrict || !isUsable) return 'no-cache';
  }
  if (parseVary(field('vary')).includes('*')) return 'vary-star';
  const setsCookies = field('set-cookie') !== undefined;
  if (setsCookies && !(storesCookies && !varyIncludes(field('vary'), 'Cookie'))) {
    return 'set-cookie';
  }
  if (hasCredentials && isStrict && !SHARING.some((name) => hasDirective(directives, name))) {
    return 'authorization';
  }
  return undefined;
}

/** Whether a directive stands there without the names of fields that it is meant for. */
export function isUnqualified(directives: CacheControl, name: string): boolean {
  return directives.some(
    (directive) => isNamed(directive, name) && (directive.value ?? '').trim() === '',
  );
}

/**
 * Names of the fields, in lower case, that a qualified `no-cache` or `private` keeps from being
 * stored with the rest.
 *
 * @see RFC 9111 §5.2.2.4, §5.2.2.7
 */
export function withheldFields({ directives }: ResponsePolicy): Set<string> {
  const names = new Set<string>();
  for (const directive of directives) {
    if (!isNamed(directive, 'no-cache') && !isNamed(directive, 'private')) continue;
    for (const name of (directive.value ?? '').replace(/"/g, '').split(',')) {
      if (name.trim() !== '') names.add(name.trim().toLowerCase());
    }
  }
  return names;
}

/** Whether the handlers can be asked if the response still holds. */
export function hasValidator(field: FieldLookup): boolean {
  return field('etag') !== undefined || field('last-modified') !== undefined;
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
