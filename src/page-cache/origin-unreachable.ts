import type { Response } from '../headers/middleware';

const ANSWER = Symbol('cachewright.answer-stale');

interface OfferedResponse {
  [ANSWER]?: () => boolean;
}

/**
 * Says, in place of an answer, that the handler cannot reach its origin. A cache that is disconnected may
 * serve a stale stored response, which it must not do otherwise. It does not if the response says
 * `must-revalidate`, `proxy-revalidate`, `no-cache` or `s-maxage`.
 *
 * @returns `true` if the cache has answered. `false` if it has nothing to answer with, or the head was
 *   sent: then the handler answers, with 502 or 504.
 * @see RFC 9111 §4.2.4
 * @example
 * upstream.on('error', () => {
 *   if (!originUnreachable(res)) res.status(502).end();
 * });
 */
export function originUnreachable(res: Response): boolean {
  return !res.headersSent && (res as OfferedResponse)[ANSWER]?.() === true;
}

/**
 * Lets {@link originUnreachable} answer with a stored response. Of nested caches the innermost one that
 * has such a response answers.
 *
 * @param answer - Sends the stored response if its terms allow it, and returns whether it did.
 */
export function offerStale(res: Response, answer: () => boolean): void {
  (res as OfferedResponse)[ANSWER] = answer;
}
