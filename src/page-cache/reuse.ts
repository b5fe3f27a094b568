import type { Request } from '../headers/middleware';
import { type RequestDirectives, requestDirectives } from '../http/request-directives';
import { headersOf } from './inputs/watched-headers';
import type { PageSettings } from './page-settings';
import type { StoredResponse } from './stored-response';

/** What the client asks of caches, where the site lets it. */
export function directivesOf(
  req: Request,
  { requestDirectives: areFollowed }: PageSettings,
): RequestDirectives | undefined {
  if (!areFollowed) return undefined;
  const headers = headersOf(req);
  return requestDirectives(headers['cache-control'], headers.pragma as string | undefined);
}

/** Whether a stored response answers a request without asking the handlers. @see RFC 9111 §4 */
export function isReusable(
  response: StoredResponse,
  directives: RequestDirectives | undefined,
): boolean {
  const now = Date.now();
  if (directives === undefined) return response.isFresh(now);
  if (directives.noCache || directives.noStore) return false;
  if (directives.maxAge !== undefined && (response.age(now) ?? 0) > directives.maxAge) return false;
  if (response.alwaysValidate) return false;
  const remainingMs = response.staleAt - now;
  if (remainingMs > 0) return remainingMs >= directives.minFresh * 1000;
  return !response.mustRevalidate && -remainingMs <= directives.maxStale * 1000;
}

/** Whether a response is refused for its age alone, and not for what the client asks. */
export function isMerelyStale(
  response: StoredResponse,
  directives: RequestDirectives | undefined,
): boolean {
  const isUnwanted = directives?.noCache || directives?.noStore || directives?.maxAge !== undefined;
  return !isUnwanted && !response.isFresh(Date.now());
}
