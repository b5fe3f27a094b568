import type { ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { isUint8Array } from 'node:util/types';

const HOLD = Symbol('cachewright.hold');

interface HeldResponse extends ServerResponse {
  [HOLD]?: ResponseHold;
}

type Method = (...args: unknown[]) => unknown;

/** A call of a handler that is made up for later. */
type Call = () => unknown;

/**
 * Makes it possible to hold back the end of this response. All callers get the same hold, so that a
 * response which passes several caches waits once for all of them.
 */
export function holdOf(response: ServerResponse): ResponseHold {
  const res = response as HeldResponse;
  res[HOLD] ??= new ResponseHold(res);
  return res[HOLD];
}

/**
 * Holds back the part of a response that its client would act on: the end, the whole response if it is
 * sent in one piece, and the head of a redirect. The handler sees no difference: its calls return, and
 * the head counts as sent.
 *
 * It stands outside the hooks on the response head, which decide whether there is anything to wait for.
 * So it has the head decided before the first bytes go on.
 */
export class ResponseHold {
  readonly #res: ServerResponse;
  readonly #write: Method;
  readonly #end: Method;
  readonly #flushHeaders: Method;
  /** How many things are still waited for. */
  #pending = 0;
  /** Calls that wait, in their order. */
  readonly #calls: Call[] = [];
  /** Sends the head on HTTP/2, where `writeHead` would have sent it. */
  #sendHead: Call | undefined;
  #restoreSocket: Call | undefined;

  /** @param res - Whose methods are replaced. */
  constructor(res: HeldResponse) {
    this.#res = res;
    this.#write = res.write as Method;
    this.#end = res.end as Method;
    this.#flushHeaders = res.flushHeaders as Method;
    // Functions of its own for each response would keep garbage alive.
    res.write = writeHeld as typeof res.write;
    res.end = endHeld as typeof res.end;
    res.flushHeaders = flushHeld;
  }

  /**
   * Holds the response until `work` is settled. Called as the head is about to be sent.
   *
   * @param work - Must not take forever.
   */
  until(work: Promise<unknown>): void {
    if (this.#pending === 0) {
      this.#holdHead();
      this.#guardSocket();
    }
    this.#pending += 1;
    const settle = () => {
      this.#pending -= 1;
      if (this.#pending === 0) this.#release();
    };
    work.then(settle, settle);
  }

  /** @param self - As it was called on, which may be something around the response. */
  write(self: unknown, args: unknown[]): unknown {
    const write = () => this.#write.apply(self, args);
    const isHeld = this.#calls.length > 0;
    if (!isHeld && isBytes(args[0])) this.#decideHead();
    if (isHeld || (this.#pending > 0 && this.#isRedirect())) {
      this.#calls.push(write);
      return true;
    }
    this.#releaseHead();
    return write();
  }

  end(self: unknown, args: unknown[]): unknown {
    const end = () => this.#end.apply(self, args);
    const [chunk] = args;
    const isSendable = chunk === undefined || chunk === null || typeof chunk === 'function';
    const isHeld = this.#calls.length > 0;
    if (!isHeld && (isSendable || isBytes(chunk)) && !this.#res.headersSent) {
      declareLength(this.#res, args);
      this.#decideHead();
    }
    if (!isHeld && this.#pending === 0) return end();
    this.#calls.push(end);
    // To handlers it has ended. Node itself goes by `finished`, and must not take the connection for idle.
    Object.defineProperty(this.#res, 'writableEnded', { configurable: true, get: () => true });
    return self;
  }

  flushHeaders(self: unknown, args: unknown[]): void {
    const flushHeaders = () => this.#flushHeaders.apply(self, args);
    const isHeld = this.#calls.length > 0;
    if (!isHeld) this.#decideHead();
    if (isHeld || (this.#pending > 0 && this.#isRedirect())) {
      this.#calls.push(flushHeaders);
      return;
    }
    this.#releaseHead();
    flushHeaders();
  }

  /** Runs all hooks on the head. On HTTP/1 Node sends it with what follows. */
  #decideHead(): void {
    const res = this.#res;
    if (!res.headersSent) res.writeHead(res.statusCode);
  }

  #isRedirect(): boolean {
    return this.#res.statusCode >= 300;
  }

  /** Has HTTP/2 take the head for sent, as HTTP/1 does, until something follows it. */
  #holdHead(): void {
    const { stream } = this.#res as { stream?: ServerHttp2Stream };
    if (stream === undefined) return;
    stream.respond = (...args) => {
      Object.defineProperty(stream, 'headersSent', { configurable: true, get: () => true });
      this.#sendHead = () => stream.respond(...args);
    };
  }

  #releaseHead(): void {
    const { stream } = this.#res as { stream?: ServerHttp2Stream };
    if (stream === undefined || !Object.hasOwn(stream, 'respond')) return;
    const own = stream as unknown as Record<string, unknown>;
    delete own.respond;
    delete own.headersSent;
    if (!stream.destroyed) this.#sendHead?.();
    this.#sendHead = undefined;
  }

  /**
   * Whoever cuts the connection after the end, as Express does where a handler calls `next()` after it
   * has answered, counts on the response being under way.
   */
  #guardSocket(): void {
    const { socket } = this.#res;
    if (!socket || 'stream' in this.#res || Object.hasOwn(socket, 'destroy')) return;
    const restore = () => delete (socket as Partial<typeof socket>).destroy;
    socket.destroy = (error) => {
      this.#release();
      restore();
      return socket.destroy(error);
    };
    this.#restoreSocket = restore;
  }

  #release(): void {
    this.#restoreSocket?.();
    this.#restoreSocket = undefined;
    delete (this.#res as { writableEnded?: boolean }).writableEnded;
    try {
      this.#releaseHead();
      // What they call in their turn goes on at once.
      for (const call of this.#calls.splice(0)) call();
    } catch (error) {
      // The handler is no longer there to be told.
      this.#res.destroy(error as Error);
    }
  }
}

function writeHeld(this: HeldResponse, ...args: unknown[]): unknown {
  return this[HOLD]!.write(this, args);
}

function endHeld(this: HeldResponse, ...args: unknown[]): unknown {
  return this[HOLD]!.end(this, args);
}

function flushHeld(this: HeldResponse, ...args: unknown[]): void {
  this[HOLD]!.flushHeaders(this, args);
}

/** Whether Node takes it for a part of a body. What it refuses leaves the head to an error page. */
function isBytes(chunk: unknown): boolean {
  return typeof chunk === 'string' || isUint8Array(chunk);
}

/**
 * Announces the length of a body that is sent in one piece, as Node does by itself while the head
 * is not yet sent. HTTP/2 has no need of it.
 */
function declareLength(res: ServerResponse, [chunk, encoding]: unknown[]): void {
  if ('stream' in res || res.statusCode === 204 || res.statusCode === 304) return;
  if (['content-length', 'transfer-encoding', 'trailer'].some((name) => res.hasHeader(name)))
    return;
  const isText = typeof chunk === 'string';
  const charset = typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8';
  const length = isText
    ? Buffer.byteLength(chunk, charset)
    : ((chunk as Uint8Array | null | undefined)?.byteLength ?? 0);
  res.setHeader('Content-Length', length);
}
