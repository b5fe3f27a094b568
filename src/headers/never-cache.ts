import { markForClients } from './for-clients';
import { asMiddleware, withoutOptions } from './middleware';
import { onResponseHead } from './on-response-head';
import { addNeverCacheHeaders } from './patch-freshness';

/**
 * Tells every cache, this package's page cache included, not to use the response a second time.
 * Before a handler, or around one.
 *
 * @example app.get('/account', neverCache(), showAccount);
 * @see Django's `never_cache`
 */
export const neverCache = withoutOptions(
  asMiddleware('neverCache', (_req, res, next) => {
    onResponseHead(res, () => {
      addNeverCacheHeaders(res);
      markForClients(res);
    });
    next();
  }),
);
