import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { applyPreconditions, validatorsOf } from '../headers/conditional-response';
import { onFinalHead } from '../headers/final-head';
import type { Response } from '../headers/middleware';
import { hasOtherHeadListeners } from '../headers/on-response-head';
import { cachePreconditions } from '../http/preconditions';
import { type ByteRange, ifRangeHolds, parseRanges } from '../http/ranges';
import { differsForClient, keepCookieOwn, tellClient } from './for-client';
import { putFields } from './head-changes';
import { joinCacheStatus } from './outcomes';
import type { PageSettings } from './page-settings';
import { type FieldList, type StoredResponse, withoutField } from './stored-response';

/** What a request asks of a stored response. */
export interface ReplayRequest {
  readonly method: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Sends a stored response again, with its `Age`; only the part of it that the request asks for,
 * or 304 or 412 in its place, as preconditions have it. The head goes through `writeHead`, where
 * the middleware outside the cache sees and may change it, as it did when the page was made.
 *
 * @param cacheStatus - Value of `Cache-Status`; `undefined`: none is sent.
 */
export function replay(
  { method, headers }: ReplayRequest,
  response: Response,
  stored: StoredResponse,
  settings: PageSettings,
  cacheStatus: string | undefined,
): void {
  const res = response as ServerResponse;
  const age = stored.age(Date.now());
  const all = age === undefined ? stored.fields : stored.agelessFields;
  let fields = stored.hasLists ? ownLists(all) : all;
  if (cacheStatus !== undefined) {
    const status = joinCacheStatus(stored.field('cache-status'), cacheStatus);
    fields = [...withoutField(fields, 'cache-status'), 'Cache-Status', status];
  }

  // Sessions add their cookie as the head is sent.
  if (hasOtherHeadListeners(res) || res.hasHeader('set-cookie')) {
    onFinalHead(res, () => keepCookieOwn(res, settings));
  }
  const isSuccess = stored.status >= 200 && stored.status < 300;
  const isPart =
    isSuccess && (cachePreconditions(headers) !== undefined || headers.range !== undefined);
  const isPlain =
    !isPart &&
    stored.added.length === 0 &&
    stored.removed.length === 0 &&
    !differsForClient(stored, headers, settings);
  // Where Node has to join them with others, that takes it twice as long for a whole list. Express
  // sets one by default.
  const isFirst =
    isPlain && (res as { app?: unknown }).app === undefined && res.getHeaderNames().length === 0;
  if (isFirst) {
    sendHead(res, stored, withAge(fields, age) as string[]);
  } else {
    putFields(res, fields, stored.added, stored.removed);
    if (age !== undefined) res.setHeader('Age', String(age));
    if (!isPlain) {
      const remainingSeconds = stored.remainingSeconds(Date.now());
      tellClient(
        res,
        { privacy: stored.privacy, remainingSeconds, age: age ?? 0 },
        headers,
        settings,
      );
    }
    if (isPart) {
      replayPart(method, headers, res, stored);
      return;
    }
    sendHead(res, stored, undefined);
  }
  if (method === 'HEAD') res.end();
  else res.end(stored.body);
}

function sendHead(res: ServerResponse, { status, reason }: StoredResponse, list?: string[]): void {
  if (reason === '' || 'stream' in res) res.writeHead(status, list);
  else res.writeHead(status, reason, list);
}

function withAge(fields: FieldList, age: number | undefined): FieldList {
  return age === undefined ? fields : [...fields, 'Age', String(age)];
}

/**
 * The fields with lists of their own: middleware adds to those that it finds on a response, as
 * packages for cookies do, and one visitor's cookie would be stored for all.
 */
function ownLists(fields: FieldList): FieldList {
  return fields.map((field) => (typeof field === 'string' ? field : [...field]));
}

function replayPart(
  method: string | undefined,
  headers: IncomingHttpHeaders,
  res: ServerResponse,
  stored: StoredResponse,
): void {
  res.statusCode = stored.status;
  const preconditions = cachePreconditions(headers);
  const cacheStatus = res.getHeader('cache-status');
  if (preconditions && applyPreconditions(res, method, preconditions, validatorsOf(res))) {
    if (cacheStatus !== undefined) res.setHeader('Cache-Status', cacheStatus);
    res.end();
    return;
  }
  const ranges =
    method === 'GET' && stored.status === 200 ? rangesOf(headers, res, stored) : undefined;
  if (ranges === undefined) res.end(method === 'HEAD' ? undefined : stored.body);
  else sendRanges(res, stored.body, ranges);
}

function rangesOf(
  headers: IncomingHttpHeaders,
  res: ServerResponse,
  { body }: StoredResponse,
): ByteRange[] | undefined {
  if (headers.range === undefined) return undefined;
  if (!ifRangeHolds(headers['if-range'], validatorsOf(res))) return undefined;
  return parseRanges(headers.range, body.length);
}

/** @see RFC 9110 §15.3.7, §15.5.17 */
function sendRanges(res: ServerResponse, body: Buffer, ranges: readonly ByteRange[]): void {
  const [only] = ranges;
  if (only === undefined) {
    res.statusCode = 416;
    for (const name of ['Content-Type', 'Content-Encoding', 'ETag', 'Last-Modified']) {
      res.removeHeader(name);
    }
    res.setHeader('Content-Range', `bytes */${body.length}`);
    res.setHeader('Content-Length', 0);
    res.end();
    return;
  }
  res.statusCode = 206;
  if (ranges.length === 1) {
    res.setHeader('Content-Range', contentRange(only, body.length));
    const part = body.subarray(only.first, only.last + 1);
    res.setHeader('Content-Length', part.length);
    res.end(part);
    return;
  }
  const boundary = randomBytes(12).toString('hex');
  const type = res.getHeader('Content-Type');
  const parts = ranges.flatMap((range) => [
    Buffer.from(
      `\r\n--${boundary}\r\n${type === undefined ? '' : `Content-Type: ${type}\r\n`}Content-Range: ${contentRange(range, body.length)}\r\n\r\n`,
    ),
    body.subarray(range.first, range.last + 1),
  ]);
  const multipart = Buffer.concat([...parts, Buffer.from(`\r\n--${boundary}--\r\n`)]);
  res.setHeader('Content-Type', `multipart/byteranges; boundary=${boundary}`);
  res.setHeader('Content-Length', multipart.length);
  res.end(multipart);
}

function contentRange({ first, last }: ByteRange, length: number): string {
  return `bytes ${first}-${last}/${length}`;
}
