import { type CacheControlDirectives, toDirectives } from './cache-control-options';
import { asMiddleware, type Middleware, refuseRequest } from './middleware';
import { onResponseHead } from './on-response-head';
import { addDirectives } from './patch-cache-control';

/**
 * Adds directives to the response's `Cache-Control`, as {@link patchCacheControl} does. Before a
 * handler, or around one.
 *
 * @throws TypeError When made, if `directives` is no object of directives, if a directive is misspelt
 *   or cannot be sent, or if both `public` and `private` are asked for.
 * @example app.get('/', cacheControl({ public: true, maxAge: 3600 }), showHome);
 * @see RFC 9111 §5.2.2; Django's `cache_control`
 */
export function cacheControl(directives: CacheControlDirectives = {}): Middleware {
  refuseRequest('cacheControl', directives, 'cacheControl({ maxAge: 60 })');
  const added = toDirectives(directives, 'cacheControl()');
  const isAsked = (name: string) => added.some((directive) => directive.name === name);
  if (isAsked('public') && isAsked('private')) {
    throw new TypeError(
      'cacheControl() got both public and private, which contradict each other. Give one of them.',
    );
  }
  return asMiddleware('cacheControl', (_req, res, next) => {
    onResponseHead(res, () => addDirectives(res, added));
    next();
  });
}
