import type { ServerResponse } from 'node:http';
import { isUint8Array } from 'node:util/types';
import { type HeadArguments, takeHead } from '../headers/on-response-head';

/** What the gate tells of a response that the code inside sends. */
export interface GateEvents {
  /**
   * The head, as the code inside sends it. Middleware further out may still change it.
   *
   * @param isWhole - Whether the body ends together with it.
   * @param body - Makes the body, if it is whole.
   */
  onInsideHead(isWhole: boolean, body: (() => Buffer) | undefined): void;
  /** The code inside has said, before its head, that its response must not be shared. */
  onRefusedEarly(): void;
  /** The code inside has ended its response. */
  onEnded(): void;
  /** Calls `work`, in which code further out runs. */
  outside<T>(work: () => T): T;
}

const GATE = Symbol('cachewright.gate');

interface GatedResponse extends ServerResponse {
  [GATE]?: InsideGate;
}

type Method = (...args: unknown[]) => unknown;

/** Methods of a response that its own functions stand in for while a page is made. */
const METHODS = ['writeHead', 'write', 'end', 'flushHeaders', 'setHeader'] as const;

type MethodName = (typeof METHODS)[number];

/**
 * Stands between the code inside the cache and all that is around it, on the response's way out.
 *
 * A head that is given to `writeHead` is held until the first byte, or the end, follows: Node sends it
 * no earlier on HTTP/1, and only then is it known what the code inside has looked at.
 */
export class InsideGate {
  readonly #res: ServerResponse;
  readonly #events: GateEvents;
  readonly #originals: Record<MethodName, Method>;
  /** `decided`: the code inside has had its say, and the head leaves as code further out sends it. */
  #phase: 'open' | 'held' | 'decided' = 'open';
  /** What follows the head that is being decided on. */
  #following: 'whole' | 'streamed' | undefined;
  /** Arguments of `end`, if the head is sent with them. */
  #body: unknown[] = [];

  constructor(response: ServerResponse, events: GateEvents) {
    const res = response as GatedResponse;
    this.#res = res;
    this.#events = events;
    const methods = res as unknown as Record<MethodName, Method>;
    this.#originals = Object.fromEntries(METHODS.map((name) => [name, methods[name]])) as Record<
      MethodName,
      Method
    >;
    const isFirst = res[GATE] === undefined;
    if (isFirst) res[GATE] = this;
    for (const name of METHODS) {
      // Functions of its own for each response would keep garbage alive.
      methods[name] = isFirst ? SHARED[name] : this.#own(name);
    }
  }

  #own(name: MethodName): Method {
    const gate = this;
    return function gated(this: unknown, ...args: unknown[]) {
      return gate.call(name, this, args);
    };
  }

  /** @param self - As the method was called on, which may be something around the response. */
  call(name: MethodName, self: unknown, args: unknown[]): unknown {
    switch (name) {
      case 'writeHead':
        return this.#writeHead(self, args as HeadArguments);
      case 'write':
        if (isBytes(args[0])) this.#send('streamed');
        return this.#pass('write', self, args);
      case 'end':
        return this.#end(self, args);
      case 'flushHeaders':
        this.#send('streamed');
        return this.#pass('flushHeaders', self, args);
      case 'setHeader':
        return this.#setHeader(self, args);
    }
  }

  #pass(name: MethodName, self: unknown, args: unknown[]): unknown {
    return this.#events.outside(() => this.#originals[name].apply(self, args));
  }

  #writeHead(self: unknown, args: HeadArguments): unknown {
    const res = this.#res;
    if (this.#phase === 'held') throw headersSentError('write');
    if (this.#phase === 'decided' || res.headersSent) return this.#pass('writeHead', self, args);
    takeHead(res, args);
    if (this.#following !== undefined) {
      this.#decide();
      return self;
    }
    if (isHttp2(res)) {
      // HTTP/2 sends the head at once.
      this.#decide();
      return this.#pass('writeHead', self, [res.statusCode]);
    }
    this.#hold();
    return self;
  }

  /** Keeps the head, which looks as if it was sent. */
  #hold(): void {
    this.#phase = 'held';
    Object.defineProperty(this.#res, 'headersSent', { configurable: true, get: () => true });
  }

  #end(self: unknown, args: unknown[]): unknown {
    const [chunk] = args;
    const isEmpty = chunk === undefined || chunk === null || typeof chunk === 'function';
    if (isEmpty || isBytes(chunk)) this.#send('whole', args);
    const result = this.#pass('end', self, args);
    this.#events.onEnded();
    return result;
  }

  #setHeader(self: unknown, args: unknown[]): unknown {
    if (this.#phase === 'held') throw headersSentError('set');
    const result = this.#originals.setHeader.apply(self, args);
    const isPolicy = typeof args[0] === 'string' && args[0].toLowerCase() === 'cache-control';
    if (isPolicy && /\b(?:no-store|private)\b/i.test(String(args[1]))) {
      this.#events.onRefusedEarly();
    }
    return result;
  }

  /** Decides on the head, if none was sent yet, as the body or a part of it follows. */
  #send(body: 'whole' | 'streamed', args: unknown[] = []): void {
    const res = this.#res;
    if (this.#phase === 'decided' || this.#following !== undefined) return;
    const isHeld = this.#phase === 'held';
    if (isHeld) {
      this.#phase = 'open';
      delete (res as { headersSent?: boolean }).headersSent;
    }
    if (res.headersSent) return;
    this.#following = body;
    this.#body = args;
    try {
      // What the code inside has put on `writeHead` has had its say on a head that was held.
      if (isHeld) this.#decide();
      else res.writeHead(res.statusCode);
    } finally {
      this.#following = undefined;
      this.#body = [];
    }
  }

  #decide(): void {
    const isWhole = this.#following === 'whole';
    const body = this.#body;
    this.#phase = 'decided';
    try {
      this.#events.onInsideHead(isWhole, isWhole ? () => bytesOf(body) : undefined);
    } catch (error) {
      // No head was sent, and the error page that follows has one of its own.
      this.#phase = 'open';
      throw error;
    }
  }
}

function isHttp2(res: ServerResponse): boolean {
  return 'stream' in res;
}

/** Thrown as Node does it, for a head that was given to `writeHead` and is not sent yet. */
function headersSentError(action: 'set' | 'write'): Error {
  const error = new Error(`Cannot ${action} headers after they are sent to the client`);
  return Object.assign(error, { code: 'ERR_HTTP_HEADERS_SENT' });
}

const SHARED = Object.fromEntries(
  METHODS.map((name) => [
    name,
    function gated(this: GatedResponse, ...args: unknown[]) {
      return this[GATE]!.call(name, this, args);
    },
  ]),
) as Record<MethodName, Method>;

/** Whether Node takes it for a part of a body. What it refuses leaves the head to an error page. */
function isBytes(chunk: unknown): boolean {
  return typeof chunk === 'string' || isUint8Array(chunk);
}

/** The bytes that `end` was given. */
function bytesOf([chunk, encoding]: unknown[]): Buffer {
  if (typeof chunk === 'string') {
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  }
  if (!isUint8Array(chunk)) return Buffer.alloc(0);
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
