import { asMiddleware, type Middleware, refuseRequest } from '../headers/middleware';
import { hideTagHeaders, offerCacheTags } from './cache-tags';
import { observeBefore } from './inputs/observe-before';
import { invalidateOnSuccess } from './invalidate';
import { warnIfBegun } from './mount-warnings';
import { tellAtHead } from './outcomes';
import { checkPageOptions, type PageCacheOptions, settingsFor } from './page-settings';
import { registerSpace } from './page-spaces';
import { showCountingPreferences } from './preference-rules';
import { shareShapes } from './shared-shape';
import { PageTransaction } from './transaction';

/**
 * The outer half of the page cache, mounted **before** everything else: it stores what
 * {@link fetchFromCache} did not find. Being outermost it sees the response last, with the final
 * headers and bytes: what compression made of them, which `Vary` the session added.
 *
 * Stored are responses to GET and HEAD with status 200, unless their headers (`Cache-Control`,
 * `Vary: *`, `Set-Cookie`) tell otherwise. They get `Expires` and `Cache-Control: max-age`, by
 * which browsers and proxies cache them too. A POST, PUT, DELETE, PATCH or unknown method that
 * succeeds removes the pages of its URL (RFC 9111 §4.4).
 *
 * @param options - They hold for the `fetchFromCache()` that follows, too.
 * @throws TypeError when made, if an option makes no sense.
 * @see Django's `UpdateCacheMiddleware`
 * @example
 * app.use(updateCache({ seconds: 600 })); // first
 * app.use(compression(), session(options));
 * app.use(fetchFromCache()); // last, before the routes
 */
export function updateCache(options: PageCacheOptions = {}, ..._none: never[]): Middleware {
  // `_none` has TypeScript refuse `app.use(updateCache)`: nothing can be a second argument.
  refuseRequest('updateCache', options, 'app.use(updateCache())');
  checkPageOptions('updateCache', options);
  const currentSettings = settingsFor(options);
  registerSpace(options);
  const place = { hasStateBefore: false, hasLookedUp: false, unasked: 0 };
  return asMiddleware('updateCache', (req, res, next) => {
    shareShapes(req, res);
    offerCacheTags(res);
    if (req.method === 'GET' || req.method === 'HEAD') {
      const settings = currentSettings();
      showCountingPreferences(req, res, settings.preferences);
      warnIfBegun(place, res);
      observeBefore(req, res, place);
      new PageTransaction(req, res, settings).watchResponse(place);
    } else {
      tellAtHead(req, res, currentSettings(), { fwd: 'method' });
      hideTagHeaders(res, currentSettings());
      invalidateOnSuccess(req, res, currentSettings());
    }
    next();
  });
}
