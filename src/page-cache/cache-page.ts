import { describe } from '../arguments/describe';
import { isPlain } from '../arguments/option-names';
import type { BaseCache } from '../cache/base-cache';
import { asMiddleware, type Middleware, refuseRequest } from '../headers/middleware';
import { hideTagHeaders, offerCacheTags } from './cache-tags';
import { checkPageSeconds } from './check-page-options';
import { invalidateOnSuccess } from './invalidate';
import { tellAtHead } from './outcomes';
import { checkPageOptions, type PageCacheOptions, settingsFor } from './page-settings';
import { registerSpace } from './page-spaces';
import { showCountingPreferences } from './preference-rules';
import { shareShapes } from './shared-shape';
import { PageTransaction } from './transaction';

/** Options of `cachePage`. Those of {@link PageCacheOptions} beside these are the configured ones. */
export interface CachePageOptions
  extends Omit<PageCacheOptions, 'seconds' | 'cache' | 'keyPrefix'> {
  /** Where the page is kept: an alias, looked up at each use, or a backend. @defaultValue 'default' */
  readonly cache?: string | BaseCache | null;
  /** Set before the page's key, after the prefix of the alias itself. @defaultValue '' */
  readonly keyPrefix?: string | null;
}

/**
 * Caches what one route answers. Works before a handler and around one:
 * `app.get('/a', cachePage(60), view)` or `app.get('/a', cachePage(60)(view))`. Where it stands
 * before other methods, too (`app.all`), one that succeeds and is not safe removes the pages.
 *
 * @param seconds - How long the page lives, whatever its headers say; they are sent with this
 *   `max-age` or the handler's, if that is smaller. `0` or less: nothing is stored, and browsers
 *   are told so. `null`: the response's own `s-maxage` or `max-age`, else the configured seconds.
 * @throws TypeError when made, if an argument makes no sense.
 * @see Django's `cache_page`
 * @example
 * app.get('/report/:id', cachePage(60 * 15), showReport);
 */
export function cachePage(seconds: number | null, options: CachePageOptions = {}): Middleware {
  refuseRequest('cachePage', seconds, "app.get('/', cachePage(60), handler)");
  checkPageSeconds(seconds, 'cachePage()');
  if (typeof options === 'function') {
    throw new TypeError(
      'cachePage() got a handler for its options. Mount it behind: cachePage(60), handler.',
    );
  }
  if (isPlain(options) && 'seconds' in options) {
    throw new TypeError(
      `cachePage() takes the seconds first. Give them there: cachePage(${describe(options.seconds)}).`,
    );
  }
  checkPageOptions('cachePage', options);
  // Alias and prefix are the defaults, not those configured for the site, as in Django.
  const { cache = null, keyPrefix = null } = options;
  const currentSettings = settingsFor({ ...options, cache, keyPrefix });
  registerSpace({ ...options, cache });
  return asMiddleware('cachePage', (req, res, next) => {
    shareShapes(req, res);
    // Middleware before this one may call it as a hit is sent.
    offerCacheTags(res);
    if (req.method === 'GET' || req.method === 'HEAD') {
      const settings = currentSettings();
      showCountingPreferences(req, res, settings.preferences);
      return new PageTransaction(req, res, settings, seconds).lookUp(next);
    }
    tellAtHead(req, res, currentSettings(), { fwd: 'method' });
    hideTagHeaders(res, currentSettings());
    invalidateOnSuccess(req, res, currentSettings());
    next();
  });
}
