import type { Request, Response } from '../headers/middleware';
import type { HeaderValue } from '../http/header-value';
import { withCountingCookies } from './cookie-rules';
import { InputValues } from './inputs/input-values';
import { headersOf } from './inputs/watched-headers';
import {
  checkPageOptions,
  type PageCacheOptions,
  type PageSettings,
  settingsFor,
} from './page-settings';
import { findResponse, keepInputs } from './page-store';
import { withCountingPreferences } from './preference-rules';
import {
  absoluteUrl,
  type PageKey,
  pageKeyFor,
  REWRITTEN_TARGET,
  variantKey,
  variantOf,
  withRewrittenTarget,
} from './request-key';
import { varyingNames } from './varying-names';

/** Which page cache a key belongs to. What is omitted is as `configurePageCache` has set it. */
export type PageKeyOptions = Pick<
  PageCacheOptions,
  'cache' | 'keyPrefix' | 'seconds' | 'key' | 'language' | 'timeZone'
>;

/**
 * Learns which request headers the response to this URL varies on, and returns the page's key. The
 * list lives for `seconds`; once it is gone, the next response is learnt from anew.
 *
 * @throws TypeError if the request has no host from which its absolute URL can be made.
 * @see Django's `learn_cache_key`
 */
export async function learnCacheKey(
  req: Request,
  res: Response,
  options: PageKeyOptions = {},
): Promise<string> {
  checkPageOptions('learnCacheKey', options);
  const settings = settingsFor(options)();
  const method = req.method === 'HEAD' ? 'HEAD' : 'GET';
  const key = pageKeyOf(req, method, settings);
  const values = valuesOf(req, settings);
  const names = varyingNames(res.getHeader('vary') as HeaderValue, settings);
  const inputs = values.of(REWRITTEN_TARGET) === undefined ? names : [REWRITTEN_TARGET, ...names];
  const expiresAt = Date.now() + (settings.seconds ?? 0) * 1000;
  // The list is that of the URL, whichever method it was learnt from (Django's `learn_cache_key`).
  if (method === 'HEAD') {
    await keepInputs(settings, pageKeyOf(req, 'GET', settings), inputs, expiresAt);
  }
  const list = await keepInputs(settings, key, inputs, expiresAt);
  return variantKey(key, variantOf(list.inputs, values));
}

/**
 * The key of the page for this request, as it is kept in the cache; `null` if nothing was learnt of
 * the URL yet, or the knowledge has expired. `cache.delete(key)` removes the page.
 *
 * @param options - `method`: `'HEAD'` for the entry that only answers HEAD. @defaultValue 'GET'
 * @throws TypeError if the request has no host from which its absolute URL can be made.
 * @see Django's `get_cache_key`
 */
export async function getCacheKey(
  req: Request,
  { method = 'GET', ...options }: PageKeyOptions & { readonly method?: 'GET' | 'HEAD' } = {},
): Promise<string | null> {
  checkPageOptions('getCacheKey', options);
  const settings = settingsFor(options)();
  const key = pageKeyOf(req, method, settings);
  const values = valuesOf(req, settings);
  const { inputs } = await findResponse(settings, key, values);
  return inputs === undefined ? null : variantKey(key, variantOf(inputs, values));
}

function pageKeyOf(req: Request, method: 'GET' | 'HEAD', settings: PageSettings): PageKey {
  const url = absoluteUrl(req, settings.targetRule);
  if (url === undefined) {
    throw new TypeError('The request has no Host, or not one that makes an absolute URL.');
  }
  return pageKeyFor(req, url, method, settings);
}

function valuesOf(req: Request, settings: PageSettings): InputValues {
  const { cookies, preferences } = settings;
  const preferring = withCountingPreferences(req, headersOf(req), preferences);
  const headers = withRewrittenTarget(req, withCountingCookies(preferring, cookies));
  // Where Express has no part in it, a request knows no response, and there is no state on one.
  const { res = {} } = req as { res?: object };
  return new InputValues(req, res as Response, headers, settings);
}
