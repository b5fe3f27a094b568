import type { IncomingHttpHeaders } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Request } from '../headers/middleware';
import { readAddressQuietly } from './inputs/address-reads';
import { peekAt } from './inputs/peek';
import { headersOf } from './inputs/watched-headers';

/** An Express app, as far as it is used; any other has no such setting. */
export interface FrontedApp {
  readonly get?: (name: 'trust proxy fn') => unknown;
}

const FRONTED = Symbol('cachewright.app');

/** Express's request, as far as it is used, or one that has not come to Express yet. */
interface ExpressRequest {
  readonly app?: FrontedApp;
  [FRONTED]?: FrontedApp;
}

/** Notes that a cache stands before `app`, whose settings hold already. */
export function standBefore(req: Request, app: FrontedApp): void {
  (req as ExpressRequest)[FRONTED] = app;
}

/**
 * Scheme and host of a request, as Express derives them under `trust proxy`.
 *
 * @param app - The app that the request has not come to yet, if that is not noted.
 */
export function originOf(
  req: Request,
  headers: IncomingHttpHeaders = headersOf(req),
  app?: FrontedApp,
): { scheme: string; host: string | undefined } {
  const socket = req.socket as TLSSocket;
  const isEncrypted = socket?.encrypted === true;
  // On HTTP/2 the client says, and handlers read what it said.
  let scheme = (headers[':scheme'] as string | undefined) ?? (isEncrypted ? 'https' : 'http');
  let host = (headers[':authority'] as string | undefined) ?? headers.host;
  const forwardedHost = headers['x-forwarded-host'];
  const forwardedProto = headers['x-forwarded-proto'];
  if ((forwardedHost !== undefined || forwardedProto !== undefined) && trustsProxy(req, app)) {
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
export function trustsProxy(req: Request, fronted?: FrontedApp): boolean {
  const { app = fronted ?? (req as ExpressRequest)[FRONTED] } = req as ExpressRequest;
  const trust = typeof app?.get === 'function' ? app.get('trust proxy fn') : undefined;
  if (typeof trust !== 'function') return false;
  return readAddressQuietly(() => peekAt(req, () => trust(req.socket.remoteAddress, 0) === true));
}

function firstOf(value: string | string[]): string {
  return String(value).split(',', 1)[0]!.trim();
}
