import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { LRUCache } from 'lru-cache';
import { digestOfUrl, PAGE_KEY_STEM, withoutFragment } from '../cache/tag-names';
import type { Request } from '../headers/middleware';
import type { PageSettings } from './page-settings';
import type { TargetRule } from './query-rules';
import { type FrontedApp, originOf } from './request-origin';

/** Digest that stands for "none of the varying headers was sent", as in Django. */
const NO_HEADERS = hash('md5', '');

/** What identifies the page a request asks for, apart from the headers it varies on. */
export interface PageKey {
  /** Absolute URL, echoed in the entry and compared on reading: digests can collide. */
  readonly url: string;
  /**
   * Key of the page that varies on nothing, which is also where a page that varies keeps the list
   * of its headers.
   */
  readonly base: string;
  /** Language and time zone, as they end the key. */
  readonly suffix: string;
  /** What was asked for, if that is not known; see {@link rememberPage}. */
  readonly news?: Omit<KnownPage, 'key'>;
}

/** Express's request, as far as it is used. */
interface ExpressRequest {
  readonly app?: { get?: (name: 'query parser fn') => unknown };
  originalUrl?: string;
  readonly baseUrl?: string;
}

/**
 * The absolute URL of a request, host and scheme as Express derives them under `trust proxy`; the
 * query as it was sent, without a fragment or a bare trailing `?`. `undefined` if the request
 * names no host, or not in a form from which a URL can be made unambiguously.
 *
 * @param rule - What the site makes of the query first.
 * @see Django's `HttpRequest.build_absolute_uri`
 */
export function absoluteUrl(req: Request, rule?: TargetRule): string | undefined {
  const sent = (req as ExpressRequest).originalUrl ?? req.url ?? '';
  const target = rule === undefined ? sent : rule(sent);
  const { scheme, host } = originOf(req);
  if (host === undefined || !isUnambiguous(target, host, scheme)) return undefined;
  return withoutFragment(`${scheme}://${host}${target}`);
}

/**
 * Stands among the headers that a page varies on for the target that handlers are asked for, where
 * middleware has made another of the one that was sent. No header has such a name.
 */
export const REWRITTEN_TARGET = ':target';

/** The headers of a request, and its target if that was rewritten on the way. */
export function withRewrittenTarget(
  req: Request,
  headers: IncomingHttpHeaders,
): IncomingHttpHeaders {
  const target = rewrittenTarget(req);
  return target === undefined ? headers : { ...headers, [REWRITTEN_TARGET]: target };
}

function rewrittenTarget(req: Request): string | undefined {
  const { originalUrl, baseUrl } = req as ExpressRequest;
  const target = req.url ?? '';
  if (originalUrl === undefined || originalUrl === target) return undefined;
  // Below a mount point the rest is shown, and made to begin with a slash.
  const rests = [target, target.replace(/^\//, '')];
  const isMounted =
    baseUrl === undefined
      ? rests.some((rest) => originalUrl.endsWith(rest)) // Connect, which does not tell of it.
      : rests.some((rest) => originalUrl === baseUrl + rest);
  return isMounted ? undefined : target;
}

/** The page key of `method` and `url` under these settings. */
export function pageKeyFor(
  req: Request,
  url: string,
  method: 'GET' | 'HEAD',
  settings: PageSettings,
): PageKey {
  const suffix = suffixOf(req, settings);
  return { url, base: `${plainBase(url, method, settings.keyPrefix)}${suffix}`, suffix };
}

/** Of a URL that was found in a cache, all that does not depend on the request. */
interface KnownPage {
  readonly keyPrefix: string;
  readonly scheme: string;
  readonly host: string;
  readonly target: string;
  /** The key where there is no suffix. */
  readonly key: PageKey;
}

/**
 * Those found last, by target alone; where several hosts or caches have the same, all but the first by
 * {@link fullName}, which takes longer to make. To make out a key anew costs more than a hit.
 */
const knownPages = new LRUCache<string, KnownPage>({ max: 10_000 });

/** Longer targets are most often made up, and would take memory for nothing. */
const MAX_KNOWN_LENGTH = 512;

/**
 * The page that a request asks for; or why the request must not be answered from the cache. It may if it
 * is a GET or HEAD, without a body, for a host the site serves, with a target that no client sends
 * by accident.
 *
 * @param headers - Those of the request.
 * @param method - As it was sent. One overridden on the way is not the one that the client will
 *   think was answered.
 * @param app - Which a cache stands before; see {@link originOf}.
 */
export function requestedPage(
  req: Request,
  headers: IncomingHttpHeaders,
  method: string | undefined,
  settings: PageSettings,
  app?: FrontedApp,
): PageKey | BypassReason {
  if (req.method !== method || (method !== 'GET' && method !== 'HEAD')) return 'method';
  if (hasBody(req, headers)) return 'body';
  if (headers.upgrade !== undefined) return 'upgrade';
  if (settings.skip?.(req as never) === true) return 'skip';
  const { hosts, targetRule, keyPrefix } = settings;
  const sent = (req as ExpressRequest).originalUrl ?? req.url ?? '';
  if (targetRule !== undefined && !isClean(sent)) return 'target';
  const target = targetRule === undefined ? sent : targetRule(sent);
  const { scheme, host } = originOf(req, headers, app);
  const known = host === undefined ? undefined : knownKey(keyPrefix, scheme, host, target);
  if (known === undefined && !isClean(target)) return 'target';
  if (host === undefined || hosts?.has(host) === false) return 'host';
  if (known === undefined && !isUnambiguous(target, host, scheme)) return 'host';
  const suffix = suffixOf(req, settings);
  if (known !== undefined) {
    return suffix === '' ? known : { url: known.url, base: known.base + suffix, suffix };
  }
  const url = withoutFragment(`${scheme}://${host}${target}`);
  const base = plainBase(url, 'GET', keyPrefix);
  const isShort = target.length + host.length <= MAX_KNOWN_LENGTH;
  const news = isShort ? { keyPrefix, scheme, host, target } : undefined;
  return { url, base: base + suffix, suffix, news };
}

function knownKey(
  keyPrefix: string,
  scheme: string,
  host: string,
  target: string,
): PageKey | undefined {
  // In the order in which they came, and not of their use, which takes longer to keep.
  const first = knownPages.peek(target);
  if (first === undefined) return undefined;
  const isFor = (page: KnownPage) =>
    page.host === host &&
    page.target === target &&
    page.scheme === scheme &&
    page.keyPrefix === keyPrefix;
  if (isFor(first)) return first.key;
  const other = knownPages.peek(fullName(keyPrefix, scheme, host, target));
  return other !== undefined && isFor(other) ? other.key : undefined;
}

function fullName(keyPrefix: string, scheme: string, host: string, target: string): string {
  return `${keyPrefix}\n${scheme}\n${host}\n${target}`;
}

/** So that what a page's key is made of is known when it is asked for once more. */
export function rememberPage({ news, url, base, suffix }: PageKey): void {
  if (news === undefined) return;
  const { keyPrefix, scheme, host, target } = news;
  const key = { url, base: base.slice(0, base.length - suffix.length), suffix: '' };
  const name = knownPages.has(target) ? fullName(keyPrefix, scheme, host, target) : target;
  knownPages.set(name, { ...news, key });
}

/** Key of the variant of a page for the headers that `variant` tells, see {@link variantOf}. */
export function variantKey({ base, suffix }: PageKey, variant: string): string {
  if (variant === '') return base;
  const stem = base.slice(0, base.length - suffix.length - NO_HEADERS.length);
  return `${stem}${hash('md5', variant)}${suffix}`;
}

/** The values of a request's inputs; `undefined`: absent. */
export interface Inputs {
  of(input: string): string | undefined;
}

/**
 * The inputs that are there, names and values. Every element carries its length, so that no two
 * requests come to the same text; absent and empty differ; `''` if none is there.
 */
export function variantOf(names: readonly string[], inputs: Inputs): string {
  let variant = '';
  for (const name of names) {
    const text = inputs.of(name);
    if (text !== undefined) variant += `${name.length}:${name}${text.length}:${text}`;
  }
  return variant;
}

function plainBase(url: string, method: string, keyPrefix: string): string {
  return `${PAGE_KEY_STEM}${keyPrefix}.${method}.${digestOfUrl(url)}.${NO_HEADERS}`;
}

function suffixOf(req: Request, { language, timeZone, segment }: PageSettings): string {
  let suffix = segment === undefined ? '' : `.segment.${escapeDots(segment(req))}`;
  if (language !== undefined) suffix += `.${escapeDots(language(req))}`;
  if (timeZone !== undefined) suffix += `.${escapeDots(timeZone(req))}`;
  return suffix;
}

/** Keeps an element of the key from looking like two, and fit for Memcached. */
function escapeDots(element: string): string {
  return element.replace(/[^\w/+-]/g, (char) => `%${char.charCodeAt(0).toString(16)}%`);
}

/** Whether scheme, host and target can be told apart again once joined. */
function isUnambiguous(target: string, host: string, scheme: string): boolean {
  // Absolute-form and asterisk-form targets begin otherwise.
  if (!target.startsWith('/')) return false;
  return /^[\w.:[\]%-]+$/.test(host) && /^[a-zA-Z][a-zA-Z\d+.-]*$/.test(scheme);
}

/** Shows handlers the request as it was looked up: without the parameters that do not count. */
export function applyTargetRule(req: Request, rule: TargetRule): void {
  const express = req as { originalUrl?: string; url?: string; query?: unknown } & ExpressRequest;
  const { originalUrl, url = '' } = express;
  const shown = rule(url);
  if (originalUrl !== undefined) express.originalUrl = rule(originalUrl);
  if (shown === url) return;
  express.url = shown;
  // Express 4 has parsed the query by now.
  const parse = express.app?.get?.('query parser fn');
  if (Object.hasOwn(express, 'query') && typeof parse === 'function') {
    express.query = parse(shown.split('?', 2)[1] ?? '');
  }
}

/** Shows handlers the target that is in the key, which has no bare `?` at its end (PAGE-31). */
export function dropBareQuestionMark(req: Request): void {
  const express = req as { originalUrl?: string; url?: string };
  if (express.url?.endsWith('?')) express.url = withoutQuestionMark(express.url);
  if (express.originalUrl?.endsWith('?')) {
    express.originalUrl = withoutQuestionMark(express.originalUrl);
  }
}

function withoutQuestionMark(target: string): string {
  const { length } = target;
  return target.indexOf('?') === length - 1 ? target.slice(0, length - 1) : target;
}

/** Why a request is none of the cache's business. */
export type BypassReason = 'body' | 'host' | 'method' | 'skip' | 'target' | 'upgrade';

/** A fragment is never sent, but a raw target may hold one, and the handler may reflect it. */
function isClean(target: string): boolean {
  return /^\/[!"$-~]*$/.test(target);
}

function hasBody(req: Request, headers: IncomingHttpHeaders): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  const length = headers['content-length'];
  if (length !== undefined) return length !== '0';
  // HTTP/2 may send a body without announcing its length.
  return req.httpVersionMajor >= 2 && !(req as Http2ServerRequest).stream.endAfterHeaders;
}
