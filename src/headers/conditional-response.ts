import type { ServerResponse } from 'node:http';
import { parseHttpDate } from '../http/http-date';
import { evaluatePreconditions, type Preconditions, type Validators } from '../http/preconditions';

/**
 * Fields that describe the body, which a 304 does not have. All others stay: CORS, security headers
 * and request ids are about this response, and `Age` about the stored one (RFC 9110 §15.4.5).
 */
const DROPPED_ON_304 = new Set([
  'accept-ranges',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-range',
  'content-type',
  'digest',
  'content-digest',
  'repr-digest',
  'trailer',
  'transfer-encoding',
]);

/** What was said of the resource, and is not true of the 412 sent in its place. */
const DROPPED_ON_412 = new Set([
  'accept-ranges',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'expires',
  'trailer',
  'transfer-encoding',
]);

/**
 * Makes the response the 304 or 412 that the preconditions ask for, if they do.
 *
 * @returns Whether it was made one. If so, it has to be sent without a body.
 */
export function applyPreconditions(
  res: ServerResponse,
  method: string | undefined,
  preconditions: Preconditions,
  validators: Validators,
): boolean {
  switch (evaluatePreconditions(method, preconditions, validators)) {
    case 'proceed':
      return false;
    case 'not-modified':
      setStatus(res, 304);
      removeHeaders(res, (name) => DROPPED_ON_304.has(name));
      return true;
    case 'precondition-failed':
      setStatus(res, 412);
      removeHeaders(res, (name) => DROPPED_ON_412.has(name));
      // Without it, Node sends an empty body in chunks.
      res.setHeader('Content-Length', 0);
      return true;
  }
}

/** The validators that the response carries. */
export function validatorsOf(res: ServerResponse): Validators {
  const etag = res.getHeader('ETag');
  return {
    etag: etag === undefined ? undefined : String(etag),
    lastModifiedAt: parseHttpDate(res.getHeader('Last-Modified')),
  };
}

function setStatus(res: ServerResponse, statusCode: number): void {
  res.statusCode = statusCode;
  // The handler's phrase was for its own status. HTTP/2 has none, and Node warns of one.
  if (!('stream' in res)) res.statusMessage = '';
}

function removeHeaders(res: ServerResponse, isRemoved: (name: string) => boolean): void {
  for (const name of res.getHeaderNames()) {
    if (isRemoved(name.toLowerCase())) res.removeHeader(name);
  }
}
