import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Request } from '../headers/middleware';
import type { CacheOutcome } from '../http/cache-status';
import { addCacheStatus, hasListeners, tellOutcome } from './outcomes';
import type { PageSettings } from './page-settings';
import { replay } from './replay';
import type { StoredResponse } from './stored-response';

/** A request that the cache answers itself. */
export interface Visit {
  readonly req: Request;
  readonly res: ServerResponse;
  /** As it was sent. */
  readonly method: string | undefined;
  /** As the client has sent them. */
  readonly headers: IncomingHttpHeaders;
  readonly settings: PageSettings;
}

/** Sends a stored response, and tells so. */
export function sendHit(
  { req, res, method, headers, settings }: Visit,
  response: StoredResponse,
  more: CacheOutcome,
): void {
  const status = hasListeners(settings)
    ? tellOutcome(req, settings, {
        hit: true,
        ttl: response.remainingSeconds(Date.now()),
        ...more,
      })
    : undefined;
  replay({ method, headers }, res, response, settings, status);
}

/** Answers a client that would have a stored response or none. @see RFC 9111 §5.2.1.7 */
export function sendOnlyIfCached({ req, res, settings }: Visit): void {
  addCacheStatus(res, tellOutcome(req, settings, { detail: 'only-if-cached' }));
  res.statusCode = 504;
  res.end();
}
