import { type CacheControl, parseCacheControl } from './cache-control';
import type { FieldLookup } from './field-lookup';
import { parseTargetedCacheControl } from './targeted-cache-control';

/** The directives that a response has for this cache. */
export interface ResponsePolicy {
  readonly directives: CacheControl;
  /** Whether they come from `CDN-Cache-Control`, which leaves no say to the fields for others. */
  readonly isTargeted: boolean;
}

/**
 * Reads what a response says to a shared cache near the origin: `CDN-Cache-Control` if it is
 * there and valid, else `Cache-Control`.
 *
 * @see RFC 9213 §2.2
 */
export function responsePolicy(field: FieldLookup): ResponsePolicy {
  const targeted = parseTargetedCacheControl(field('cdn-cache-control'));
  return targeted === undefined
    ? { directives: parseCacheControl(field('cache-control')), isTargeted: false }
    : { directives: targeted, isTargeted: true };
}
