import { isToken } from '../http/token';
import { asMiddleware, type Middleware, refuseRequest, withoutOptions } from './middleware';
import { onResponseHead } from './on-response-head';
import { patchVaryHeaders } from './patch-vary';

/**
 * Adds request header names to the response's `Vary`, so that caches keep one stored response
 * per combination of their values. Before a handler, or around one.
 *
 * @throws TypeError When made, if no name is given or one cannot be a header name.
 * @example app.get('/', varyOnHeaders('Accept-Language'), showHome);
 * @see RFC 9111 §4.1; Django's `vary_on_headers`
 */
export function varyOnHeaders(...names: string[]): Middleware {
  refuseRequest('varyOnHeaders', names[0], "varyOnHeaders('Cookie')");
  if (names.length === 0) {
    throw new TypeError("varyOnHeaders() got no header name. Pass one: varyOnHeaders('Cookie').");
  }
  for (const name of names) {
    if (typeof name === 'string' && isToken(name)) continue;
    throw new TypeError(
      `varyOnHeaders() got ${typeof name === 'string' ? JSON.stringify(name) : `a ${typeof name}`}, which is no header name. Pass names one by one: varyOnHeaders('Cookie', 'Accept-Language').`,
    );
  }
  return varyOn('varyOnHeaders', names);
}

/**
 * The same as `varyOnHeaders('Cookie')`.
 *
 * @see Django's `vary_on_cookie`
 */
export const varyOnCookie = withoutOptions(varyOn('varyOnCookie', ['Cookie']));

function varyOn(helper: string, names: readonly string[]): Middleware {
  return asMiddleware(helper, (_req, res, next) => {
    // As the head is sent, not now: a handler that sets Vary itself must not undo ours.
    onResponseHead(res, () => patchVaryHeaders(res, names));
    next();
  });
}
