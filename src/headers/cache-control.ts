import { type CacheControlDirectives, toDirectives } from './cache-control-options';
import { asMiddleware, type Middleware } from './middleware';
import { onResponseHead } from './on-response-head';
import { addDirectives } from './patch-cache-control';

/**
 * Adds directives to the response's `Cache-Control`, as {@link patchCacheControl} does. Before a
 * handler, or around one.
 *
 * @throws TypeError When made, if a directive cannot be sent.
 * @example app.get('/', cacheControl({ public: true, maxAge: 3600 }), showHome);
 * @see RFC 9111 §5.2.2; Django's `cache_control`
 */
export function cacheControl(directives: CacheControlDirectives = {}): Middleware {
  const added = toDirectives(directives, 'cacheControl()');
  return asMiddleware('cacheControl', (_req, res, next) => {
    onResponseHead(res, () => addDirectives(res, added));
    next();
  });
}
