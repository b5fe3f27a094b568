import { asMiddleware, type Middleware, refuseRequest } from '../headers/middleware';
import { checkPageOptions, type PageCacheOptions, settingsFor } from './page-settings';
import { registerSpace } from './page-spaces';
import { PageTransaction } from './transaction';

/**
 * The inner half of the page cache, mounted **after** all other middleware and before the routes:
 * it answers with the stored response if there is one. Being innermost, what the others did to
 * the request is in the page's key.
 *
 * Without an {@link updateCache} before it, it does nothing but warn, once.
 *
 * @param options - Only if they differ from those of `updateCache`: they then replace them all,
 *   for storing too.
 * @throws TypeError when made, if an option makes no sense.
 * @see Django's `FetchFromCacheMiddleware`
 */
export function fetchFromCache(options?: PageCacheOptions, ..._none: never[]): Middleware {
  // `_none` has TypeScript refuse `app.use(fetchFromCache)`: nothing can be a second argument.
  refuseRequest('fetchFromCache', options, 'app.use(fetchFromCache())');
  if (options !== undefined) checkPageOptions('fetchFromCache', options);
  const ownSettings = options === undefined ? undefined : settingsFor(options);
  if (options !== undefined) registerSpace(options);
  let hasWarned = false;
  return asMiddleware('fetchFromCache', (req, _res, next) => {
    const isAsked = req.method === 'GET' || req.method === 'HEAD';
    const transaction = isAsked ? PageTransaction.openOn(req) : undefined;
    if (transaction !== undefined) {
      if (ownSettings !== undefined) transaction.settings = ownSettings();
      return transaction.lookUp(next);
    }
    if (isAsked && !hasWarned) {
      hasWarned = true;
      warnOfOrder();
    }
    next();
  });
}

function warnOfOrder(): void {
  process.emitWarning(
    'fetchFromCache() met a request that no updateCache() has seen, and lets it pass. Mount updateCache() before it, as the first middleware of the app.',
    { type: 'PageCacheWarning', code: 'CACHEWRIGHT_ORDER' },
  );
}
