import type { ServerResponse } from 'node:http';
import type { Step } from './stacks';

/** What a session keeps. */
export type Session = Record<string, unknown>;

/**
 * Sessions as the usual packages have them: `req.session` of the visitor whose `sid` cookie was
 * sent, or a new one, whose cookie is set as the head is sent if anything was put in it.
 *
 * @param sessions - Those known, by `sid`.
 */
export function sessionMiddleware(sessions: Record<string, Session> = {}): Step {
  let made = 0;
  return (req, res, next) => {
    const sid = /(?:^|; )sid=([^;]+)/.exec(req.headers.cookie ?? '')?.[1];
    const known = sid === undefined ? undefined : sessions[sid];
    const session = known ?? {};
    (req as unknown as { session: Session }).session = session;
    const { writeHead } = res;
    res.writeHead = function saveSession(this: ServerResponse, ...args: never[]) {
      if (known === undefined && Object.keys(session).length > 0) {
        made += 1;
        sessions[`new${made}`] = session;
        res.setHeader('Set-Cookie', `sid=new${made}; HttpOnly`);
      }
      return writeHead.apply(this, args as never);
    } as never;
    next();
  };
}

/** The session that the middleware has put on a request. */
export function sessionOf(req: object): Session {
  return (req as { session: Session }).session;
}
