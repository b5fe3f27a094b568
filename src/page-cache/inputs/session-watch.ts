import type { Request, Response } from '../../headers/middleware';
import { digestOf, OPAQUE } from './digest';
import { holderOf } from './request-state';

/**
 * Whether a session is another than it was when this was called: a page whose rendering writes the
 * session is not stored (PAGE-63).
 *
 * @param peek - Reads the request without anybody noticing.
 */
export function watchSession(
  req: Request,
  res: Response,
  peek: <T>(read: () => T) => T,
): () => boolean {
  const look = () => peek(() => contentOf(req, res));
  const before = look();
  // One that is made inside counts when it is read.
  return () => before !== undefined && look() !== before;
}

function contentOf(req: Request, res: Response): unknown {
  const session = holderOf(req, res, 'session');
  if (session === undefined) return undefined;
  // When the cookie expires changes with each request.
  const { cookie: _cookie, ...content } = session as Record<string, unknown>;
  const digest = digestOf(content, () => '');
  return digest === OPAQUE ? session : digest;
}
