import { checkTimeout } from '../cache/timeouts';
import type { Response } from '../headers/middleware';
import { patchFreshnessHeaders } from '../headers/patch-freshness';
import { settingsFor } from './page-settings';

const currentSettings = settingsFor({});

/**
 * Tells browsers and proxies how long they may keep the response: sets `Expires`, unless there is
 * one, and `Cache-Control: max-age`, unless there is a smaller one.
 *
 * @param seconds - Negative counts as 0. @defaultValue the seconds set by `configurePageCache`;
 *   nothing is changed if those are `null`
 * @throws TypeError if `seconds` is not a finite number.
 * @see Django's `patch_response_headers`
 */
export function patchResponseHeaders(res: Response, seconds?: number): void {
  const lifetime =
    seconds === undefined
      ? currentSettings().seconds
      : checkTimeout(seconds, 'patchResponseHeaders()');
  if (lifetime !== null) patchFreshnessHeaders(res, lifetime);
}
