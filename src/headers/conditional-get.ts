import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { isUint8Array } from 'node:util/types';
import { hasDirective, parseCacheControl } from '../http/cache-control';
import { readPreconditions } from '../http/preconditions';
import { applyPreconditions, validatorsOf } from './conditional-response';
import { asMiddleware, type Request, type Response, withoutOptions } from './middleware';
import { onResponseHead } from './on-response-head';

/**
 * Answers a GET with 304 or 412 in place of the page if its preconditions ask for that, and gives
 * pages without an `ETag` a strong one, the MD5 of their body. That saves bytes on the wire; the
 * handler has run all the same. {@link condition} saves that too.
 *
 * The ETag takes a body sent as a whole, by `end(body)` before any `write()` or `writeHead()`. So
 * mount `compression()`, which sends in pieces, before this and not after.
 *
 * @example app.use(compression(), conditionalGet());
 * @see RFC 9110 §13; Django's `ConditionalGetMiddleware`
 */
export const conditionalGet = withoutOptions(
  asMiddleware('conditionalGet', (req, res, next) => {
    // A HEAD has no body to hash, and an unsafe request would be refused after it was carried out.
    if (req.method === 'GET') answerConditionally(req, res);
    next();
  }),
);

function answerConditionally(req: Request, response: Response): void {
  const res = response as ServerResponse;
  const write = res.write as (...args: unknown[]) => boolean;
  const end = res.end as (...args: unknown[]) => ServerResponse;
  // Taken now: further in they may get hidden, lest the handler answers 304 to a page cache.
  const preconditions = readPreconditions(req.headers);
  let wholeBody: Uint8Array | undefined;
  let isBodyDropped = false;

  onResponseHead(res, () => {
    if (wholeBody !== undefined && wantsEtag(res, wholeBody)) {
      res.setHeader('ETag', `"${createHash('md5').update(wholeBody).digest('hex')}"`);
    }
    if (preconditions === undefined) return;
    const validators = validatorsOf(res);
    if (isSuccess(res) && Object.values(validators).some((validator) => validator !== undefined)) {
      isBodyDropped = applyPreconditions(res, req.method, preconditions, validators);
    }
    // What Node would have done, had the head not been sent ahead of the body.
    if (wholeBody !== undefined && mayHaveLength(res)) {
      res.setHeader('Content-Length', wholeBody.byteLength);
    }
  });

  res.end = function endConditionally(...args: unknown[]): ServerResponse {
    try {
      if (!res.headersSent) wholeBody = bytesOf(args);
      // First the head, which decides on the body: Node would be busy sending both.
      if (wholeBody !== undefined && preconditions !== undefined) res.writeHead(res.statusCode);
      return isBodyDropped ? end.call(res, args.find(isCallback)) : end.apply(res, args);
    } finally {
      wholeBody = undefined;
    }
  } as ServerResponse['end'];

  if (preconditions === undefined) return;

  res.write = function writeConditionally(...args: unknown[]): boolean {
    if (!res.headersSent) res.writeHead(res.statusCode);
    if (!isBodyDropped) return write.apply(res, args);
    // HTTP/2 fails on what is written after a 304, and after a 412 it would be sent.
    const callback = args.find(isCallback);
    if (callback !== undefined) process.nextTick(callback);
    return true;
  } as ServerResponse['write'];
}

/** The body that `end(...args)` sends; `undefined` for what Node refuses to. */
function bytesOf([chunk, encoding]: readonly unknown[]): Uint8Array | undefined {
  if (chunk === undefined || chunk === null || isCallback(chunk)) return new Uint8Array();
  if (isUint8Array(chunk)) return chunk;
  if (typeof chunk !== 'string') return undefined;
  return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
}

function wantsEtag(res: ServerResponse, body: Uint8Array): boolean {
  // The ETag of a part is that of the whole, which was not seen (RFC 9110 §15.3.7).
  if (body.byteLength === 0 || res.statusCode === 206 || res.hasHeader('ETag')) return false;
  return !hasDirective(parseCacheControl(res.getHeader('Cache-Control')), 'no-store');
}

function isSuccess(res: ServerResponse): boolean {
  return res.statusCode >= 200 && res.statusCode < 300;
}

function mayHaveLength(res: ServerResponse): boolean {
  if (res.statusCode === 204 || res.statusCode === 304) return false;
  return !['Content-Length', 'Transfer-Encoding', 'Trailer'].some((name) => res.hasHeader(name));
}

function isCallback(value: unknown): value is () => void {
  return typeof value === 'function';
}
