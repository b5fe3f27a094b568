import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import { isUint8Array } from 'node:util/types';
import type { Response } from '../headers/middleware';
import { type HeadWatcher, watchHead } from '../headers/on-response-head';
import { isFieldText } from '../http/header-value';
import { hopByHopFields } from '../http/hop-by-hop';
import { BodySink } from './body-sink';
import type { FieldList } from './stored-response';

/** A response that was sent whole: what a client got, less what concerns its connection. */
export interface Recording {
  readonly status: number;
  readonly reason: string;
  readonly fields: FieldList;
  readonly body: Buffer;
}

/** What is to become of a response whose head is about to be sent. */
export interface HeadDecision {
  /** Largest body to record, in bytes; `undefined`: the response is not recorded. */
  readonly limit?: number | undefined;
  /** Sent in place of what the handler writes. */
  readonly body?: Buffer | undefined;
}

/** What the recorder asks and tells. */
export interface RecorderEvents {
  /** Whether the client may be sent something else than the handler makes. */
  mayReplace(): boolean;
  /** Called as the head is sent, middleware up to the recorder having had its say. May change it. */
  onHead(): HeadDecision;
  /**
   * Called last, when what is recorded was taken: changes are for this client alone. Returns
   * whether the client gets no body.
   */
  onFinalHead(): boolean;
  /** Called once the handler has made all of the response, and the client is still there. */
  onComplete(recording: Recording): void;
  /**
   * Called if the response was to be recorded, but came to nothing: because its client is gone, or
   * because it is none that can be kept, as the next will be.
   */
  onAbandoned(reason: 'gone' | 'unfit'): void;
}

/** Whom the recorder asks: `undefined` while the response is of no interest. */
export interface RecorderSource {
  /** Asked as the head and each chunk is sent. */
  current(): RecorderEvents | undefined;
}

/**
 * Records a response while it is sent, however the handler writes it, and sends another in its
 * place if it is told to. A response that is aborted, shorter or longer than its
 * `Content-Length`, over the limit, or followed by trailers is never reported as complete.
 */
export function recordResponse(response: Response, isHead: boolean, source: RecorderSource): void {
  const res = response as RecordedResponse;
  const recorder = new Recorder(res, isHead, source);
  watchHead(res, recorder);
  if (res[RECORDER] === undefined) {
    // As with heads, functions of its own for each response would keep garbage alive.
    res[RECORDER] = recorder;
    res.write = writeRecorded as typeof res.write;
    res.end = endRecorded as typeof res.end;
    return;
  }
  res.write = function write(this: ServerResponse, ...args: unknown[]) {
    return recorder.write(this, args);
  } as typeof res.write;
  res.end = function end(this: ServerResponse, ...args: unknown[]) {
    return recorder.end(this, args);
  } as typeof res.end;
}

const RECORDER = Symbol('cachewright.recorder');

/** A response, with the recorder that was the first. */
interface RecordedResponse extends ServerResponse {
  [RECORDER]?: Recorder;
}

function writeRecorded(this: RecordedResponse, ...args: unknown[]): boolean {
  return this[RECORDER]!.write(this, args);
}

function endRecorded(this: RecordedResponse, ...args: unknown[]): unknown {
  return this[RECORDER]!.end(this, args);
}

class Recorder implements HeadWatcher {
  readonly #res: ServerResponse;
  readonly #isHead: boolean;
  readonly #source: RecorderSource;
  readonly #write: (...args: unknown[]) => boolean;
  readonly #end: (...args: unknown[]) => unknown;
  #sink: BodySink | undefined;
  #head: Omit<Recording, 'body'> | undefined;
  /** Sent at the end in place of what the handler writes; `NOTHING`: no body at all. */
  #substitute: Buffer | undefined;
  #isEnding = false;
  #hasTrailers = false;
  /** Those of the response, as they were. */
  readonly #trailers: Partial<Record<TrailerMethod, Method>> = {};

  constructor(res: ServerResponse, isHead: boolean, source: RecorderSource) {
    this.#res = res;
    this.#isHead = isHead;
    this.#source = source;
    this.#write = res.write as (...args: unknown[]) => boolean;
    this.#end = res.end as (...args: unknown[]) => unknown;
  }

  isWanted(): boolean {
    return this.#source.current() !== undefined;
  }

  onHead(): void {
    const res = this.#res;
    const events = this.#source.current()!;
    this.#sink = undefined;
    this.#substitute = undefined;
    const { limit, body } = events.onHead();
    this.#head = limit === undefined || isClientGone(res) ? undefined : snapshot(res);
    if (this.#head !== undefined) {
      this.#sink = new BodySink(limit!, this.#isHead ? 0 : declaredLength(res));
      this.#refuseTrailers();
      res.once('close', () => this.#abandon('gone'));
    } else if (limit !== undefined) {
      events.onAbandoned(isClientGone(res) ? 'gone' : 'unfit');
    }
    if (body !== undefined) this.#substitute = this.#isHead ? NOTHING : body;
    if (events.onFinalHead()) this.#substitute = NOTHING;
  }

  /** @param res - As it was called on, which may be something around it. */
  write(res: ServerResponse, args: unknown[]): boolean {
    const events = this.#source.current();
    // HTTP/2's `end(chunk)` comes by here, too.
    if (this.#isEnding || events === undefined) return this.#write.apply(res, args);
    const own = this.#res;
    if (!own.headersSent && isBytes(args[0]) && events.mayReplace()) own.writeHead(own.statusCode);
    if (this.#substitute !== undefined) {
      this.#append(args);
      const callback = args.find((arg) => typeof arg === 'function');
      if (callback !== undefined) process.nextTick(callback);
      return true;
    }
    const result = this.#write.apply(res, args);
    this.#append(args);
    // While all of it is kept anyway, the handlers need not wait for a client that reads slowly.
    return result || this.#sink !== undefined;
  }

  /** @param res - As it was called on, which may be something around it. */
  end(res: ServerResponse, args: unknown[]): unknown {
    const events = this.#source.current();
    if (this.#isEnding || events === undefined) return this.#end.apply(res, args);
    const own = this.#res;
    this.#isEnding = true;
    try {
      const isSendable = args[0] === undefined || args[0] === null || typeof args[0] === 'function';
      if (!own.headersSent && (isSendable || isBytes(args[0])) && events.mayReplace()) {
        declareLength(own, args);
        own.writeHead(own.statusCode);
      }
      const substitute = this.#substitute;
      if (substitute === undefined) {
        const result = this.#end.apply(res, args);
        this.#append(args);
        this.#complete();
        return result;
      }
      this.#append(args);
      const callback = args.filter((arg) => typeof arg === 'function');
      const sent = substitute === NOTHING ? callback : [substitute, ...callback];
      const result = this.#end.apply(res, sent);
      this.#complete();
      return result;
    } catch (error) {
      // Nothing has ended: the chunk was refused.
      this.#isEnding = false;
      throw error;
    }
  }

  #append([chunk, encoding]: unknown[]): void {
    const sink = this.#sink;
    // Node sends no body to HEAD, whatever the handler writes.
    if (this.#isHead || sink === undefined || chunk === undefined || chunk === null) return;
    if (typeof chunk === 'function') return;
    sink.append(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
    if (sink.isOverflown) this.#abandon('unfit');
  }

  #complete(): void {
    if (this.#sink === undefined) return;
    const body = this.#sink.take();
    const head = this.#head!;
    const isBodiless = this.#isHead || head.status === 204;
    const fields = completeFields(head.fields, isBodiless ? undefined : body);
    const isGone = isClientGone(this.#res);
    if (fields === undefined || this.#hasTrailers || isGone) {
      this.#abandon(isGone ? 'gone' : 'unfit');
      return;
    }
    this.#sink = undefined;
    this.#source.current()?.onComplete({ ...head, fields, body });
  }

  #abandon(reason: 'gone' | 'unfit'): void {
    if (this.#sink === undefined) return;
    this.#sink = undefined;
    this.#source.current()?.onAbandoned(reason);
  }

  /** Their fields could not be sent again. */
  #refuseTrailers(): void {
    const res = this.#res as unknown as Partial<Record<TrailerMethod, Method>> & RecordedResponse;
    for (const name of TRAILER_METHODS) {
      const original = res[name] as Method | undefined;
      if (original === undefined) continue;
      this.#trailers[name] = original;
      if (res[RECORDER] === this) res[name] = trailing[name] as never;
      else res[name] = (...args: unknown[]) => this.addTrailers(name, res, args);
    }
  }

  /** Calls a method that adds trailers. */
  addTrailers(name: TrailerMethod, res: unknown, args: unknown[]): unknown {
    this.#hasTrailers = true;
    return this.#trailers[name]!.apply(res, args);
  }
}

/** HTTP/2 has the second, too. */
const TRAILER_METHODS = ['addTrailers', 'setTrailer'] as const;

type TrailerMethod = (typeof TRAILER_METHODS)[number];

type Method = (this: unknown, ...args: unknown[]) => unknown;

const trailing: Record<TrailerMethod, Method> = {
  addTrailers(...args) {
    return (this as RecordedResponse)[RECORDER]!.addTrailers('addTrailers', this, args);
  },
  setTrailer(...args) {
    return (this as RecordedResponse)[RECORDER]!.addTrailers('setTrailer', this, args);
  },
};

const NOTHING = Buffer.alloc(0);

/** Whether Node takes it for a part of a body. What it refuses leaves the head to an error page. */
function isBytes(chunk: unknown): boolean {
  return typeof chunk === 'string' || isUint8Array(chunk);
}

/**
 * Announces the length of a body that is sent in one piece, as Node does by itself while the head
 * is not yet sent. HTTP/2 has no need of it.
 */
function declareLength(res: ServerResponse, [chunk, encoding]: unknown[]): void {
  if ('stream' in res || res.hasHeader('Content-Length') || res.hasHeader('Transfer-Encoding'))
    return;
  if (res.statusCode === 204 || res.statusCode === 304 || res.req.method === 'HEAD') return;
  const isText = typeof chunk === 'string';
  const length = isText
    ? Buffer.byteLength(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
    : ((chunk as Uint8Array | undefined)?.byteLength ?? 0);
  res.setHeader('Content-Length', length);
}

/** Status and fields as they stand; `undefined` if they must not be stored. */
export function snapshot(res: ServerResponse): Omit<Recording, 'body'> | undefined {
  const isHopByHop = hopByHopFields(res.getHeader('connection') as string | undefined);
  const fields: (string | readonly string[])[] = [];
  for (const name of fieldNames(res)) {
    const lower = name.toLowerCase();
    if (lower === 'trailer') return undefined;
    if (isHopByHop(lower)) continue;
    const value = asText(res.getHeader(name)!);
    const lines = typeof value === 'string' ? [value] : value;
    // Node refuses control characters on HTTP/1, but not in every API; stored, a line end would
    // split the frame, and the other API refuse what this one had sent.
    if (!lines.every(isFieldText)) return undefined;
    if (lines.length > 0) fields.push(name, value);
  }
  return { status: res.statusCode, reason: reasonOf(res), fields };
}

/**
 * The fields with the length of the body that was seen; `undefined` if another was announced, or
 * one that is no single number. `body` is `undefined` for HEAD, which has the announcement
 * alone, and for a 204, which has neither.
 */
function completeFields(fields: FieldList, body: Buffer | undefined): FieldList | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    if ((fields[i] as string).toLowerCase() !== 'content-length') continue;
    const told = String(fields[i + 1]);
    const isRight = body === undefined ? /^\d+$/.test(told) : told === String(body.length);
    return isRight ? fields : undefined;
  }
  return body === undefined ? fields : [...fields, 'Content-Length', String(body.length)];
}

/** Whether the client hung up, or was hung up on. */
function isClientGone(res: ServerResponse): boolean {
  const { stream } = res as { stream?: { destroyed: boolean } };
  return res.destroyed || res.socket?.destroyed === true || stream?.destroyed === true;
}

/** Names as they were spelt. HTTP/2 has them in lower case only. */
function fieldNames(res: ServerResponse): readonly string[] {
  // Public in Node, but missing from its types.
  const { getRawHeaderNames } = res as { getRawHeaderNames?: () => string[] };
  return getRawHeaderNames?.call(res) ?? res.getHeaderNames();
}

function asText(value: OutgoingHttpHeader): string | readonly string[] {
  return Array.isArray(value) ? value.map(String) : String(value);
}

/** The reason phrase, if the handler gave one of its own. */
function reasonOf(res: ServerResponse): string {
  if ('stream' in res) return '';
  return res.statusMessage ?? '';
}

function declaredLength(res: ServerResponse): number | undefined {
  const length = Number(res.getHeader('content-length') ?? Number.NaN);
  return Number.isSafeInteger(length) && length >= 0 ? length : undefined;
}
