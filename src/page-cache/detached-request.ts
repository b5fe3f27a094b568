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
  url: URL,
  headers: Readonly<Record<string, string>>,
  run: DetachedRun,
): void {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: '127.0.0.1' });
  Object.defineProperty(socket, 'encrypted', { value: url.protocol === 'https:' });
  Object.defineProperty(socket, 'server', { value: serverOf(original) });
  const req = new IncomingMessage(socket);
  req.method = 'GET';
  req.httpVersion = '1.1';
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  req.url = (original as { originalUrl?: string }).originalUrl ?? original.url ?? '/';
  req.headers = { host: url.host, ...headers };
  req.rawHeaders = Object.entries(req.headers).flatMap(([name, value]) => [name, String(value)]);
  req.complete = true;
  req.push(null);
  runs.set(req, run);
  const res = new DetachedResponse(req);
  res.once('close', () => run.land({ kind: 'failed' }));
  serverOf(original)?.emit('request', req, res);
}

/** A response that goes nowhere, and is finished as soon as it is written. */
class DetachedResponse extends ServerResponse {
  #hasEnded = false;

  constructor(req: IncomingMessage) {
    super(req);
    // An accessor in Node, which its types have as a property.
    Object.defineProperty(this, 'writableEnded', { get: () => this.#hasEnded });
  }

  override write(...args: unknown[]): boolean {
    if (!this.headersSent) this.writeHead(this.statusCode);
    runCallback(args);
    return true;
  }

  override end(...args: unknown[]): this {
    if (this.#hasEnded) return this;
    if (!this.headersSent) this.writeHead(this.statusCode);
    this.#hasEnded = true;
    runCallback(args);
    process.nextTick(() => {
      this.emit('finish');
      this.emit('close');
    });
    return this;
  }

  override flushHeaders(): void {
    if (!this.headersSent) this.writeHead(this.statusCode);
  }

  override destroy(error?: Error): this {
    super.destroy(error);
    process.nextTick(() => this.emit('close'));
    return this;
  }
}

function runCallback(args: unknown[]): void {
  const callback = args.find((arg) => typeof arg === 'function');
  if (callback !== undefined) process.nextTick(callback as () => void);
}
