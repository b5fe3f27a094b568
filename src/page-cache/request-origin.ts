import type { TLSSocket } from 'node:tls';
import type { Request } from '../headers/middleware';
import { headersOf } from './watched-headers';

/** Express's request, as far as it is used. */
interface ExpressRequest {
  readonly app?: { get?: (name: 'trust proxy fn') => unknown };
}

/** Scheme and host of a request, as Express derives them under `trust proxy`. */
export function originOf(req: Request): { scheme: string; host: string | undefined } {
  const headers = headersOf(req);
  const socket = req.socket as TLSSocket;
  const isEncrypted = socket?.encrypted === true;
  // On HTTP/2 the client says, and handlers read what it said.
  let scheme = (headers[':scheme'] as string | undefined) ?? (isEncrypted ? 'https' : 'http');
  let host = (headers[':authority'] as string | undefined) ?? headers.host;
  const forwardedHost = headers['x-forwarded-host'];
  const forwardedProto = headers['x-forwarded-proto'];
  if ((forwardedHost !== undefined || forwardedProto !== undefined) && trustsProxy(req)) {
    // An empty first element is what Express takes, too. No URL can be made of it.
    if (forwardedHost) host = firstOf(forwardedHost);
    if (forwardedProto) scheme = firstOf(forwardedProto);
  }
  return { scheme, host: host === '' ? undefined : host };
}

/** Whether a handler that reads `Host` reads the host that is in the key. */
export function isKeyedByHost(req: Request): boolean {
  return originOf(req).host === headersOf(req).host;
}

/** Whether the peer may speak for the client, by the setting `trust proxy` of an Express app. */
export function trustsProxy(req: Request): boolean {
  const trust = (req as ExpressRequest).app?.get?.('trust proxy fn');
  return typeof trust === 'function' && trust(req.socket.remoteAddress, 0) === true;
}

function firstOf(value: string | string[]): string {
  return String(value).split(',', 1)[0]!.trim();
}
