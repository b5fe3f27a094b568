import type { IncomingMessage, ServerResponse } from 'node:http';
import { quoteEtag } from '../http/entity-tags';
import { formatHttpDate, parseHttpDate } from '../http/http-date';
import { readPreconditions, type Validators } from '../http/preconditions';
import { applyPreconditions } from './conditional-response';
import { asMiddleware, type Middleware, refuseRequest } from './middleware';
import { onResponseHead } from './on-response-head';

/** Finds a validator of what the request is for. */
type Finder<T> = {
  // Declared as a method, so that it may be written for Express's narrower request.
  method(req: IncomingMessage, res: ServerResponse): T | Promise<T>;
}['method'];

/**
 * Finds the present ETag: a version, a hash, whatever changes with the content. Quotes are added
 * unless it has them; `W/"…"` is a weak one. `null` or `undefined`: there is none.
 */
export type EtagFunction = Finder<string | null | undefined>;

/**
 * Finds when the content last changed. A string is an HTTP date or one as SQL and ISO 8601 have
 * it, in UTC unless it says otherwise. `null` or `undefined`: not known.
 */
export type LastModifiedFunction = Finder<Date | string | null | undefined>;

/**
 * Answers 304 or 412 before the handler runs, if the request's preconditions ask for that: a
 * client that has the page already costs no more than finding the validators, and a PUT with an
 * outdated `If-Match` changes nothing. Before a handler, or around one.
 *
 * Both functions get the request and the response, and may return a promise. On GET and HEAD what
 * they found is sent as `ETag` and `Last-Modified`, unless the handler sets its own.
 *
 * @throws TypeError When made, if there is no function at all.
 * @example app.get('/post/:id', condition(postEtag, postChangedAt), showPost);
 * @see RFC 9110 §13; Django's `condition`
 */
export function condition(
  etagFunction: EtagFunction | null | undefined,
  lastModifiedFunction?: LastModifiedFunction | null,
): Middleware {
  return conditional('condition', etagFunction, lastModifiedFunction);
}

/**
 * The same as `condition(etagFunction)`.
 *
 * @see Django's `etag`
 */
export function etag(etagFunction: EtagFunction): Middleware {
  return conditional('etag', etagFunction, undefined);
}

/**
 * The same as `condition(null, lastModifiedFunction)`.
 *
 * @see Django's `last_modified`
 */
export function lastModified(lastModifiedFunction: LastModifiedFunction): Middleware {
  return conditional('lastModified', undefined, lastModifiedFunction);
}

function conditional(
  helper: string,
  etagFunction: EtagFunction | null | undefined,
  lastModifiedFunction: LastModifiedFunction | null | undefined,
): Middleware {
  refuseRequest(helper, etagFunction ?? lastModifiedFunction, `${helper}((req) => …)`);
  const given = [etagFunction, lastModifiedFunction].filter((found) => found != null);
  if (given.length === 0 || given.some((found) => typeof found !== 'function')) {
    const received = given.length === 0 ? 'none' : given.map((found) => typeof found).join(', ');
    throw new TypeError(
      `${helper}() takes a function that returns a validator, and got ${received}. Pass one: (req) => versionOf(req.url).`,
    );
  }
  return asMiddleware(helper, async (req, response, next) => {
    const request = req as IncomingMessage;
    const res = response as ServerResponse;
    const tag = (await etagFunction?.(request, res)) ?? undefined;
    const date = (await lastModifiedFunction?.(request, res)) ?? undefined;
    const validators = {
      etag: tag === undefined ? undefined : quoteEtag(tag),
      lastModifiedAt: date === undefined ? undefined : instantOf(date),
    };
    const preconditions = readPreconditions(req.headers);
    const isAnswered =
      preconditions !== undefined && applyPreconditions(res, req.method, preconditions, validators);
    const fields = req.method === 'GET' || req.method === 'HEAD' ? fieldsOf(validators) : [];
    // Before the handler runs, which may set its own; and `res.send()` would, if there were none.
    for (const [name, value] of fields) res.setHeader(name, value);
    if (isAnswered) {
      res.end();
    } else {
      onResponseHead(res, () => removeFromErrorPage(res, fields));
      next();
    }
  });
}

function fieldsOf({ etag, lastModifiedAt }: Validators): [name: string, value: string][] {
  const fields: [string, string][] = [];
  if (etag !== undefined) fields.push(['ETag', etag]);
  if (lastModifiedAt !== undefined) fields.push(['Last-Modified', formatHttpDate(lastModifiedAt)]);
  return fields;
}

/** An error page is not the resource that these were found for. */
function removeFromErrorPage(res: ServerResponse, fields: [name: string, value: string][]): void {
  if (res.statusCode < 400) return;
  for (const [name, value] of fields) {
    if (res.getHeader(name) === value) res.removeHeader(name);
  }
}

function instantOf(date: Date | string): number {
  const at =
    typeof date === 'string' ? (parseHttpDate(date) ?? parseIsoDate(date)) : date.getTime?.();
  if (Number.isFinite(at)) return at!;
  const remedy = typeof date === 'number' ? `Return new Date(${date})` : 'Return a valid Date';
  throw new TypeError(
    `The date of last modification is ${typeof date === 'string' ? JSON.stringify(date) : String(date)}. ${remedy}, or null if it is not known.`,
  );
}

/** Reads `2024-05-06T07:08:09Z` and the like; what has no zone is in UTC, as in SQL it mostly is. */
function parseIsoDate(text: string): number | undefined {
  const match =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  if (match === null) return undefined;
  const [, day, time = '00:00', zone = 'Z'] = match;
  return Date.parse(`${day}T${time}${zone}`);
}
