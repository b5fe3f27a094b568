import type { ServerResponse } from 'node:http';
import type { Request } from '../headers/middleware';

/** Whether the client hung up. A response that waits behind others on a connection has no socket. */
export function isClientGone(req: Request, res: ServerResponse): boolean {
  return res.destroyed || req.destroyed || req.socket?.destroyed === true;
}

/** Calls `listener` when the client hangs up, or the response has ended. */
export function onceClientGone(req: Request, res: ServerResponse, listener: () => void): void {
  res.once('close', listener);
  if ('stream' in req) {
    req.stream.once('close', listener);
    return;
  }
  // A response that waits behind others on its connection is not told.
  if (res.socket === null) req.socket?.once('close', listener);
}
