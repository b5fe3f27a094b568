import { IncomingMessage, ServerResponse } from 'node:http';
import { type Server, Socket } from 'node:net';
import type { Request } from '../headers/middleware';
import type { Landing } from './flights';

/** What a detached request is run for. */
export interface DetachedRun {
  /** Storage key of the page to refresh. */
  readonly key: string;
  /** Told how it ended. */
  land(landing: Landing): void;
  /** Whether all of the page is there, and only its tags are still looked at. */
  isComplete?: boolean;
}

const runs = new WeakMap<Request, DetachedRun>();

/** The run that this request was made for, if it is a detached one. */
export function detachedRunOf(req: Request): DetachedRun | undefined {
  return runs.get(req);
}

/** The server a request came through, by which it can be sent through all middleware again. */
function serverOf(req: Request): Server | undefined {
  const { server } = req.socket as unknown as { server?: Server };
  return (server?.listenerCount?.('request') ?? 0) > 0 ? server : undefined;
}

/** Whether a request came through a server, so that a detached one can follow. */
export function canDetach(req: Request): boolean {
  return serverOf(req) !== undefined;
}

/**
 * Sends a request of the cache's own through the app, to have a page rendered anew: it has no
 * client, and of the original request only the URL and these headers, which must be all that is
 * in the page's key. All middleware runs as for a visitor, so that what it adds to the response,
 * `Vary` above all, is there again.
 */
export function runDetached(
  original: Request,
  url: string,
  headers: Readonly<Record<string, string>>,
  run: DetachedRun,
): void {
  // As they are written: the key has them so, and the URL class would level them.
  const [, scheme, host = ''] = /^([^:]+):\/\/([^/?#]+)/.exec(url) ?? [];
  const socket = new Socket();
  // For documents (RFC 5737). The page is for everyone, and from inside one may see more than that.
  Object.defineProperty(socket, 'remoteAddress', { value: '192.0.2.1' });
  Object.defineProperty(socket, 'encrypted', { value: scheme === 'https' });
  Object.defineProperty(socket, 'server', { value: serverOf(original) });
  const req = new IncomingMessage(socket);
  req.method = 'GET';
  req.httpVersion = '1.1';
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  req.url = (original as { originalUrl?: string }).originalUrl ?? original.url ?? '/';
  req.headers = { host, ...headers };
  req.rawHeaders = Object.entries(req.headers).flatMap(([name, value]) => [name, String(value)]);
  req.complete = true;
  req.push(null);
  runs.set(req, run);
  const res = detachedResponse(req, socket);
  // Ours should not be the one too many, of which Node would warn.
  res.setMaxListeners(res.getMaxListeners() + 1);
  res.once('close', () => {
    if (run.isComplete) return;
    // Answered by middleware that lets no request without a visitor pass, such as a login.
    const isAnswered = res.writableEnded && res.statusCode < 500;
    run.land(isAnswered ? { kind: 'uncacheable', isLasting: false } : { kind: 'failed' });
  });
  serverOf(original)?.emit('request', req, res);
}

/**
 * A response that goes nowhere, and is finished as soon as it is written. No subclass: Express
 * replaces the prototype of every response.
 */
function detachedResponse(req: IncomingMessage, socket: Socket): ServerResponse {
  const res = new ServerResponse(req);
  let hasEnded = false;
  const sendHead = (): void => {
    if (!res.headersSent) res.writeHead(res.statusCode);
  };
  const own = {
    socket,
    write(...args: unknown[]): boolean {
      sendHead();
      runCallback(args);
      return true;
    },
    end(...args: unknown[]): ServerResponse {
      if (hasEnded) return res;
      sendHead();
      hasEnded = true;
      res.finished = true;
      runCallback(args);
      process.nextTick(() => {
        res.emit('finish');
        res.emit('close');
      });
      return res;
    },
    flushHeaders: sendHead,
    destroy(error?: Error): ServerResponse {
      socket.destroy(error);
      return res;
    },
  };
  Object.assign(res, own);
  // An accessor in Node, which its types have as a property.
  Object.defineProperty(res, 'writableEnded', { get: () => hasEnded });
  // Handlers may hang up; Node's server would listen, too, lest an error ends the process.
  socket.on('error', () => {});
  socket.once('close', () => {
    Object.defineProperty(res, 'destroyed', { value: true });
    if (!hasEnded) res.emit('close');
  });
  return res;
}

function runCallback(args: unknown[]): void {
  const callback = args.find((arg) => typeof arg === 'function');
  if (callback !== undefined) process.nextTick(callback as () => void);
}
