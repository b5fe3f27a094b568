import type { BaseCache } from '../cache/base-cache';
import { checkTimeout } from '../cache/timeouts';
import { warnSeldom } from '../cache/warn-seldom';
import { backendNamed } from '../caches';
import type { Request } from '../headers/middleware';
import { checkPreferenceRules, type PreferenceRules } from './preference-rules';
import { type QueryRules, type TargetRule, targetRule } from './query-rules';

/** What the page cache tells of a failure it hid from the visitor. */
export interface PageCacheFailure {
  /** What was tried: `read` or `write` an entry. */
  readonly operation: 'read' | 'write';
  /** The page's key, without the alias's prefix and version. */
  readonly key: string;
}

/** Rules by which requests are told apart, or taken for the same. */
export interface PageKeyRules {
  /** Query parameters that count, and in which order. @defaultValue all, as they were sent */
  readonly query?: QueryRules;

  /**
   * Names of the cookies that count where a page varies on `Cookie`. Others, of analytics for
   * example, are taken from the request, so that no handler goes by them; a page for which
   * `req.session` was read is not stored.
   *
   * @defaultValue all, as they were sent
   */
  readonly cookies?: readonly string[];

  /** Something else that makes another page, such as the visitor's tenant or plan. */
  readonly segment?: (req: Request) => string;

  /**
   * `Host` values whose pages are cached, port included if there is one. Requests for others pass
   * by, so that invented hosts cannot fill the cache.
   *
   * @defaultValue every host
   */
  readonly hosts?: readonly string[];

  /**
   * Whether values of varying headers are taken for the same where they most probably mean the
   * same: lists that differ in spacing, languages in another order. Without it, only case and
   * spacing of `Accept-Encoding` and `Accept-Language`, and the order of the former, are levelled.
   *
   * Lists of what the site has do not imply that: they are no guess. By them the request is
   * rewritten, in `updateCache` or `cachePage`, so that neither handlers nor middleware go by what
   * does not count. Lists of a `fetchFromCache` alone come too late for that, and do nothing.
   *
   * @defaultValue false
   */
  readonly normalize?: boolean | PreferenceRules;
}

/** Options of `updateCache`, `fetchFromCache`, `configurePageCache`. */
export interface PageCacheOptions {
  /**
   * Where pages are kept: an alias, looked up at each use, or a backend. `null`: `'default'`.
   *
   * @defaultValue `'default'`
   * @see Django's `CACHE_MIDDLEWARE_ALIAS`
   */
  readonly cache?: string | BaseCache | null;

  /**
   * Seconds a page lives if its own headers do not say. `null`: only pages that say are stored;
   * `0` or less: none is.
   *
   * @defaultValue 600
   * @see Django's `CACHE_MIDDLEWARE_SECONDS`
   */
  readonly seconds?: number | null;

  /**
   * Set before the key of every page, to keep sites apart that share a cache. `null`: `''`.
   *
   * @defaultValue `''`
   * @see Django's `CACHE_MIDDLEWARE_KEY_PREFIX`
   */
  readonly keyPrefix?: string | null;

  /**
   * Largest body that is stored, in bytes. A larger one, or one that turns out larger while it is
   * sent, reaches the visitor all the same.
   *
   * @defaultValue 1 048 576 (1 MiB)
   */
  readonly maxBytes?: number;

  /**
   * Stores responses that set cookies, and replays the cookies to everyone; those that vary on
   * `Cookie` are left out even then. Only for cookies that are the same for all visitors.
   *
   * @defaultValue false
   */
  readonly storeCookies?: boolean;

  /** What makes another page, besides method, URL and varying headers. */
  readonly key?: PageKeyRules;

  /**
   * Language in which this request is answered. It becomes part of the key, in place of the
   * `Accept-Language` header where a page varies on that.
   *
   * @see Django's `USE_I18N`
   */
  readonly language?: (req: Request) => string;

  /**
   * Tags of the page, by which it can be purged: `caches.default.invalidateTags([…])`. Those that
   * are known only as it is rendered, the handler gives to `res.cacheTags(…)`.
   */
  readonly tags?: (req: Request) => readonly string[];

  /**
   * What becomes of the headers `Cache-Tag` and `Surrogate-Key`, whose tags a page has as well.
   * `'keep'`: clients and caches further out see them.
   *
   * @defaultValue 'strip'
   */
  readonly tagHeaders?: 'strip' | 'keep';

  /**
   * Whether a page is stored for no longer than until the first of the fragments expires that it
   * shows. Fragments within fragments do not count: the one around them is shown as it is.
   *
   * @defaultValue false
   */
  readonly limitToFragments?: boolean;

  /** Time zone in which this request is answered, which becomes part of the key. */
  readonly timeZone?: (req: Request) => string;

  /**
   * Whether headers that handlers read on a miss are added to `Vary`: all that may select a
   * representation, such as `Cookie`, `Authorization`, `Accept*`, `Origin`, client hints, forwarded
   * headers and those of frameworks, but not `User-Agent` and `Referer`; and `Cookie` for
   * `req.cookies` and `req.session`. A page for which `req.user`, `req.auth`, `req.ip` or
   * `req.rawHeaders` was read is not stored. A list of names: those are left out of it.
   *
   * Without it, a handler that greets by cookie and forgets `Vary` greets everyone alike.
   *
   * @defaultValue true
   */
  readonly varyOnRead?: boolean | readonly string[];

  /**
   * Variants kept of one URL at most; the oldest gives way to the newest.
   *
   * @defaultValue 100
   */
  readonly maxVariants?: number;

  /**
   * Whether stored responses get `Expires` and `Cache-Control: max-age`, by which browsers and
   * proxies keep them as long as this cache does. `false`: the headers are the handlers' own
   * affair, and RFC 9111 is followed also where Django is stricter or laxer: `no-cache` responses
   * with a validator are stored, and those to requests with `Authorization` only if they say so.
   *
   * @defaultValue true
   */
  readonly patchHeaders?: boolean;

  /**
   * Whether a client's `Cache-Control` (`no-cache`, `max-age`, `only-if-cached`, …) and `Pragma`
   * are followed. Anybody can then make the handlers run.
   *
   * @defaultValue false
   */
  readonly requestDirectives?: boolean;

  /**
   * Whether a response that says nothing of its lifetime, but has a `Last-Modified`, is kept for a
   * tenth of the time that has passed since, at most a day (RFC 9111 §4.2.2). Goes before
   * `seconds`.
   *
   * @defaultValue false
   */
  readonly heuristic?: boolean;

  /**
   * Seconds past its lifetime in which a page is served at once while it is refreshed behind the
   * scenes. A response's own `stale-while-revalidate` goes before, its `must-revalidate` forbids.
   *
   * @defaultValue 0
   * @see RFC 5861 §3
   */
  readonly staleWhileRevalidate?: number;

  /**
   * Seconds past its lifetime in which a page is served if the handlers answer with 500, 502, 503
   * or 504. A response's own `stale-if-error` goes before, its `must-revalidate` forbids.
   *
   * @defaultValue 0
   * @see RFC 5861 §4
   */
  readonly staleIfError?: number;

  /**
   * Seconds after which a page that may be served on error (`staleIfError`) is served stale if the
   * handlers have not answered. They go on, and what they make is stored.
   *
   * @defaultValue none
   */
  readonly softTimeout?: number;

  /**
   * Seconds past its lifetime for which a page with an `ETag` or `Last-Modified` is kept, so that
   * the handlers can be asked whether it still holds.
   *
   * @defaultValue 3600
   */
  readonly keepStale?: number;

  /**
   * Milliseconds that a request waits for another that renders the same page, before it renders
   * on its own. `0`: no waiting.
   *
   * @defaultValue 10 000
   */
  readonly waitMs?: number;

  /**
   * Milliseconds within which the backend must answer a look-up; else it counts as a miss.
   *
   * @defaultValue 100
   */
  readonly readTimeoutMs?: number;

  /**
   * Milliseconds within which the backend must have stored or removed a page; else it counts as
   * failed. Nobody waits for a page to be stored.
   *
   * @defaultValue 250
   */
  readonly writeTimeoutMs?: number;

  /**
   * Whether responses tell what the cache did, in a `Cache-Status` header (RFC 9211). A string:
   * the name by which the cache calls itself there.
   *
   * @defaultValue false; `true` is the name `cachewright`
   */
  readonly cacheStatus?: boolean | string;

  /**
   * Told of every failure of the cache, each of which counted as a miss.
   *
   * @defaultValue a process warning, `CACHEWRIGHT_PAGE_CACHE`, when a backend begins to fail
   */
  readonly onError?: (error: unknown, failure: PageCacheFailure) => void;
}

/** {@link PageCacheOptions} with nothing left open. */
export interface PageSettings {
  readonly cache: string | BaseCache;
  readonly seconds: number | null;
  readonly keyPrefix: string;
  readonly maxBytes: number;
  readonly storeCookies: boolean;
  readonly hosts: ReadonlySet<string> | undefined;
  readonly targetRule: TargetRule | undefined;
  /** Names of the cookies that count; `undefined`: all do. */
  readonly cookies: ReadonlySet<string> | undefined;
  readonly segment: ((req: Request) => string) | undefined;
  readonly language: ((req: Request) => string) | undefined;
  readonly timeZone: ((req: Request) => string) | undefined;
  readonly tags: ((req: Request) => readonly string[]) | undefined;
  readonly tagHeaders: 'strip' | 'keep';
  readonly limitToFragments: boolean;
  /** Names not watched, in lower case; `undefined`: nothing is watched. */
  readonly varyOnRead: ReadonlySet<string> | undefined;
  readonly maxVariants: number;
  readonly patchHeaders: boolean;
  readonly requestDirectives: boolean;
  readonly heuristic: boolean;
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
  readonly softTimeout: number | undefined;
  readonly keepStale: number;
  readonly waitMs: number;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly normalize: boolean;
  /** What requests may choose from; `undefined`: their preferences count as they were sent. */
  readonly preferences: PreferenceRules | undefined;
  /** The name in `Cache-Status`; `undefined`: no such header. */
  readonly cacheStatus: string | undefined;
  readonly onError: (error: unknown, failure: PageCacheFailure) => void;
}

const DEFAULTS: PageSettings = {
  cache: 'default',
  seconds: 600,
  keyPrefix: '',
  maxBytes: 1024 * 1024,
  storeCookies: false,
  hosts: undefined,
  targetRule: undefined,
  cookies: undefined,
  segment: undefined,
  language: undefined,
  timeZone: undefined,
  tags: undefined,
  tagHeaders: 'strip',
  limitToFragments: false,
  varyOnRead: new Set(),
  maxVariants: 100,
  patchHeaders: true,
  requestDirectives: false,
  heuristic: false,
  staleWhileRevalidate: 0,
  staleIfError: 0,
  softTimeout: undefined,
  keepStale: 3600,
  waitMs: 10_000,
  readTimeoutMs: 100,
  writeTimeoutMs: 250,
  normalize: false,
  preferences: undefined,
  cacheStatus: undefined,
  onError: warnOfFailure,
};

let configured = DEFAULTS;

/**
 * Sets what middleware and helpers use where they are given no option of their own. Options left
 * out have their defaults again. Takes effect at once, for middleware already mounted too.
 *
 * @throws TypeError if an option makes no sense.
 * @see Django's `CACHE_MIDDLEWARE_*` settings
 */
export function configurePageCache(options: PageCacheOptions): void {
  checkPageOptions('configurePageCache', options);
  configured = merge(DEFAULTS, options);
}

const NUMBERS = [
  'staleWhileRevalidate',
  'staleIfError',
  'softTimeout',
  'keepStale',
  'waitMs',
  'readTimeoutMs',
  'writeTimeoutMs',
  'maxVariants',
] as const;

/** Checks options when middleware is made. @throws TypeError naming the option */
export function checkPageOptions(maker: string, options: PageCacheOptions): void {
  const { seconds, maxBytes, keyPrefix, cache, key = {} } = options;
  if (seconds !== undefined) checkTimeout(seconds, `${maker}({ seconds })`);
  if (maxBytes !== undefined && !(maxBytes > 0)) {
    throw new TypeError(`${maker}({ maxBytes }) got ${maxBytes}. Give bytes above 0.`);
  }
  if (keyPrefix !== undefined && keyPrefix !== null && typeof keyPrefix !== 'string') {
    throw new TypeError(`${maker}({ keyPrefix }) got ${String(keyPrefix)}. Give a string.`);
  }
  const isBackend = typeof (cache as BaseCache | null | undefined)?.get === 'function';
  if (cache !== undefined && cache !== null && typeof cache !== 'string' && !isBackend) {
    throw new TypeError(`${maker}({ cache }) got ${String(cache)}. Give an alias or a backend.`);
  }
  const lists = { hosts: key.hosts, cookies: key.cookies, ...key.query, sort: undefined };
  for (const [name, list] of Object.entries(lists)) {
    if (list !== undefined && !Array.isArray(list)) {
      throw new TypeError(
        `${maker}({ key: … ${name} }) got ${String(list)}. Give an array of names.`,
      );
    }
  }
  if (key.segment !== undefined && typeof key.segment !== 'function') {
    throw new TypeError(
      `${maker}({ key: { segment } }) got ${String(key.segment)}. Give a function.`,
    );
  }
  checkPreferenceRules(maker, key.normalize);
  for (const name of NUMBERS) {
    const value = options[name];
    if (value !== undefined && !(Number.isFinite(value) && value >= 0)) {
      throw new TypeError(`${maker}({ ${name} }) got ${String(value)}. Give a number from 0.`);
    }
  }
  const { cacheStatus, tagHeaders } = options;
  if (tagHeaders !== undefined && tagHeaders !== 'strip' && tagHeaders !== 'keep') {
    throw new TypeError(
      `${maker}({ tagHeaders }) got ${String(tagHeaders)}. Give 'strip' or 'keep'.`,
    );
  }
  if (typeof cacheStatus === 'string' && !/^[a-zA-Z*][\w!#$%&'*+.^`|~:/-]*$/.test(cacheStatus)) {
    throw new TypeError(
      `${maker}({ cacheStatus }) got ${JSON.stringify(cacheStatus)}. Give a name of letters, digits and hyphens, or true.`,
    );
  }
  for (const name of ['language', 'timeZone', 'tags', 'onError'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function') {
      throw new TypeError(`${maker}({ ${name} }) got ${String(options[name])}. Give a function.`);
    }
  }
}

/**
 * The settings that these options come to at each call. They are worked out anew only when
 * `configurePageCache` was called in between.
 */
export function settingsFor(options: PageCacheOptions): () => PageSettings {
  let base = configured;
  let settings = merge(base, options);
  return () => {
    if (base !== configured) {
      base = configured;
      settings = merge(base, options);
    }
    return settings;
  };
}

/** The backend that keeps these pages. @throws InvalidCacheBackendError if the alias is unknown */
export function backendOf({ cache }: PageSettings): BaseCache {
  return typeof cache === 'string' ? backendNamed(cache) : cache;
}

/** Has the backend stay open for work that follows an answer, if there is such a backend. */
export function finishBeforeClose(settings: PageSettings, work: Promise<unknown>): void {
  try {
    backendOf(settings).finishBeforeClose(work);
  } catch {
    // The look-up has reported it already.
  }
}

function merge(base: PageSettings, options: PageCacheOptions): PageSettings {
  return {
    cache: options.cache === null ? 'default' : (options.cache ?? base.cache),
    seconds: options.seconds === undefined ? base.seconds : options.seconds,
    keyPrefix: options.keyPrefix === null ? '' : (options.keyPrefix ?? base.keyPrefix),
    maxBytes: options.maxBytes ?? base.maxBytes,
    storeCookies: options.storeCookies ?? base.storeCookies,
    ...keyRules(options.key, base),
    language: options.language ?? base.language,
    timeZone: options.timeZone ?? base.timeZone,
    tags: options.tags ?? base.tags,
    tagHeaders: options.tagHeaders ?? base.tagHeaders,
    limitToFragments: options.limitToFragments ?? base.limitToFragments,
    varyOnRead: ignoredReads(options.varyOnRead, base.varyOnRead),
    maxVariants: options.maxVariants ?? base.maxVariants,
    patchHeaders: options.patchHeaders ?? base.patchHeaders,
    requestDirectives: options.requestDirectives ?? base.requestDirectives,
    heuristic: options.heuristic ?? base.heuristic,
    staleWhileRevalidate: options.staleWhileRevalidate ?? base.staleWhileRevalidate,
    staleIfError: options.staleIfError ?? base.staleIfError,
    softTimeout: options.softTimeout ?? base.softTimeout,
    keepStale: options.keepStale ?? base.keepStale,
    waitMs: options.waitMs ?? base.waitMs,
    readTimeoutMs: options.readTimeoutMs ?? base.readTimeoutMs,
    writeTimeoutMs: options.writeTimeoutMs ?? base.writeTimeoutMs,
    cacheStatus: cacheStatusName(options.cacheStatus, base.cacheStatus),
    onError: options.onError ?? base.onError,
  };
}

/** The rules of the options, which replace those configured as a whole. */
function keyRules(
  rules: PageKeyRules | undefined,
  base: PageSettings,
): Pick<
  PageSettings,
  'hosts' | 'targetRule' | 'cookies' | 'segment' | 'normalize' | 'preferences'
> {
  if (rules === undefined) {
    const { hosts, targetRule: rule, cookies, segment, normalize, preferences } = base;
    return { hosts, targetRule: rule, cookies, segment, normalize, preferences };
  }
  return {
    hosts: rules.hosts && new Set(rules.hosts),
    targetRule: rules.query && targetRule(rules.query),
    cookies: rules.cookies && new Set(rules.cookies),
    segment: rules.segment,
    normalize: rules.normalize === true,
    preferences: typeof rules.normalize === 'object' ? rules.normalize : undefined,
  };
}

function ignoredReads(
  option: boolean | readonly string[] | undefined,
  fallback: ReadonlySet<string> | undefined,
): ReadonlySet<string> | undefined {
  if (option === undefined) return fallback;
  if (option === false) return undefined;
  return new Set(option === true ? [] : option.map((name) => name.toLowerCase()));
}

function cacheStatusName(
  option: boolean | string | undefined,
  fallback: string | undefined,
): string | undefined {
  if (option === undefined) return fallback;
  if (option === false) return undefined;
  return option === true ? 'cachewright' : option;
}

/** Tells of a failure. Never throws: a hook that is broken, too, must not cost the page. */
export function reportFailure(
  { onError }: PageSettings,
  error: unknown,
  failure: PageCacheFailure,
): void {
  try {
    const reported: unknown = onError(error, failure);
    if (reported instanceof Promise) {
      reported.catch((hookError: unknown) => warnOfFailure(hookError, failure));
    }
  } catch (hookError) {
    warnOfFailure(hookError, failure);
  }
}

function warnOfFailure(error: unknown, { operation }: PageCacheFailure): void {
  const message = error instanceof Error ? error.message : String(error);
  warnSeldom(
    `page ${operation}`,
    `The page cache could not ${operation} an entry, and does without it: ${message}`,
    { type: 'PageCacheWarning', code: 'CACHEWRIGHT_PAGE_CACHE' },
  );
}
