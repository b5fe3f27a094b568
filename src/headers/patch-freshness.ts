import type { ServerResponse } from 'node:http';
import { MAX_DELTA_SECONDS } from '../http/cache-control';
import { formatHttpDate } from '../http/http-date';
import type { Response } from './middleware';
import { addDirectives, patchCacheControl } from './patch-cache-control';

/**
 * Declares the response fresh for `seconds`: sets `Expires` unless it has one, and `max-age`
 * unless it has a smaller one.
 *
 * @param seconds - Fractions are cut off; less than 0 counts as 0.
 * @see Django's `patch_response_headers`
 */
export function patchFreshnessHeaders(response: Response, seconds: number): void {
  const maxAge = Math.trunc(Math.min(Math.max(seconds, 0), MAX_DELTA_SECONDS));
  setExpires(response, maxAge);
  addDirectives(response, [{ name: 'max-age', value: String(maxAge) }]);
}

/**
 * Tells every cache not to use the response a second time.
 *
 * @see Django's `add_never_cache_headers`
 */
export function addNeverCacheHeaders(response: Response): void {
  setExpires(response, 0);
  patchCacheControl(response, {
    maxAge: 0,
    noCache: true,
    noStore: true,
    mustRevalidate: true,
    private: true,
  });
}

function setExpires(response: Response, seconds: number): void {
  const res = response as ServerResponse;
  if (!res.hasHeader('Expires')) {
    res.setHeader('Expires', formatHttpDate(Date.now() + seconds * 1000));
  }
}
