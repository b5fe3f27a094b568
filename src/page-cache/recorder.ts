import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { Response } from '../headers/middleware';
import { onResponseHead } from '../headers/on-response-head';
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

/** What the recorder asks and tells. */
export interface RecorderEvents {
  /** Whether the response is of interest at all; asked as the head and each chunk is sent. */
  isWanted(): boolean;
  /**
   * Called as the head is sent, all other middleware having had its say. May still change it.
   * Returns the largest body to record, in bytes; `undefined`: the body need not be recorded.
   */
  onHead(): number | undefined;
  /** Called once the response was sent whole, and not otherwise. */
  onComplete(recording: Recording): void;
}

/**
 * Records a response while it is sent, however the handler writes it. A response that is aborted,
 * shorter or longer than its `Content-Length`, over the limit, or followed by trailers is never
 * reported.
 */
export function recordResponse(response: Response, isHead: boolean, events: RecorderEvents): void {
  const res = response as ServerResponse;
  const { write, end } = res;
  let sink: BodySink | undefined;
  let head: Omit<Recording, 'body'> | undefined;
  let isEnding = false;
  let hasTrailers = false;

  onResponseHead(
    res,
    () => {
      sink = undefined;
      const limit = events.onHead();
      if (limit === undefined || isClientGone(res)) return;
      head = snapshot(res);
      if (head === undefined) return;
      sink = new BodySink(limit, declaredLength(res));
      refuseTrailers();
      reportWhenSent();
    },
    events.isWanted,
  );

  res.write = function recordWrite(this: ServerResponse, ...args: unknown[]) {
    const result = (write as (...args: unknown[]) => boolean).apply(this, args);
    // HTTP/2's `end(chunk)` comes by here, too.
    if (sink !== undefined && !isEnding) append(args);
    return result;
  } as typeof write;

  res.end = function recordEnd(this: ServerResponse, ...args: unknown[]) {
    const isFirst = !isEnding;
    isEnding = true;
    try {
      const result = (end as (...args: unknown[]) => unknown).apply(this, args);
      if (sink !== undefined && isFirst) append(args);
      return result;
    } catch (error) {
      // Nothing has ended: the chunk was refused.
      isEnding = !isFirst;
      throw error;
    }
  } as typeof end;

  function append([chunk, encoding]: unknown[]): void {
    // Node sends no body to HEAD, whatever the handler writes.
    if (isHead || chunk === undefined || chunk === null || typeof chunk === 'function') return;
    sink!.append(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  }

  function refuseTrailers(): void {
    for (const name of ['addTrailers', 'setTrailer'] as const) {
      const original = (res as unknown as Record<string, (...args: unknown[]) => unknown>)[name];
      if (original === undefined) continue;
      (res as unknown as Record<string, unknown>)[name] = (...args: unknown[]) => {
        hasTrailers = true;
        return original.apply(res, args);
      };
    }
  }

  function reportWhenSent(): void {
    let isClosed = false;
    res.once('close', () => {
      isClosed = true;
      sink = undefined;
    });
    res.once('finish', () => {
      if (isClosed || !isEnding || hasTrailers || sink === undefined || sink.isOverflown) return;
      const body = sink.take();
      sink = undefined;
      const fields = completeFields(head!.fields, isHead ? undefined : body);
      if (fields !== undefined) events.onComplete({ ...head!, fields, body });
    });
  }
}

/** Status and fields as they stand; `undefined` if they must not be stored. */
function snapshot(res: ServerResponse): Omit<Recording, 'body'> | undefined {
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
 * one that is no single number. `body` is `undefined` for HEAD, which has the announcement alone.
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

/** Whether the client hung up before the head: `close` was emitted already then. */
function isClientGone(res: ServerResponse): boolean {
  const { stream } = res as { stream?: { destroyed: boolean } };
  return res.destroyed || stream?.destroyed === true;
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
