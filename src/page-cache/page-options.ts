import type { BaseCache } from '../cache/base-cache';
import type { Request, Response } from '../headers/middleware';
import type { PreferenceRules } from './preference-rules';
import type { QueryRules } from './query-rules';

/** What the page cache tells of a failure it hid from the visitor. */
export interface PageCacheFailure {
  /** What was tried: `read` or `write` an entry. */
  readonly operation: 'read' | 'write';
  /** The page's key, without the alias's prefix and version. */
  readonly key: string;
}

/** Tells something of a request. It may be written for a narrower one, such as Express's. */
export type RequestTest = {
  // Declared as a method, whose parameters TypeScript compares both ways.
  method(req: Request): boolean;
}['method'];

/** Tells something of a whole response. It may be written for narrower ones, such as Express's. */
export type ResponseTest = {
  method(req: Request, res: Response, body: Buffer): boolean;
}['method'];

/**
 * What counts of the request state: what middleware left on `req`, `req.session` and `res.locals`
 * before the look-up.
 *
 * A name is the path that code reads: `'req.user'`, `'session.cart'`, `'cookies.lang'`,
 * `'locals.appName'`. A name without a dot is a property of `req`: `'user'` is `'req.user'`.
 */
export interface StateRules {
  /**
   * Names that never count, because they are the same for everyone or change nothing on a page:
   * `['locals.appName', 'req.log']`.
   *
   * @defaultValue none
   */
  readonly ignore?: readonly string[];

  /**
   * Names of the only request state that counts. A page that reads other state is shared by visitors
   * for whom that differs.
   *
   * @defaultValue all that is read
   */
  readonly only?: readonly string[];

  /**
   * Names of the request headers from which middleware makes the state: `['cookie']`. Caches further
   * out are told to vary on them. A value that cannot be compared, such as a cyclic object, counts by
   * them.
   *
   * @defaultValue those that the pair, or `cacheApp` with `before`, saw middleware read
   */
  readonly from?: readonly string[];
}

/** Rules by which requests are told apart, or taken for the same. */
export interface PageKeyRules {
  /** Query parameters that count, and in which order. @defaultValue all, as they were sent */
  readonly query?: QueryRules;

  /**
   * Names of the cookies that count where a page varies on `Cookie`. The cache takes all others, such
   * as those of analytics, from the request, so that no handler depends on them. What middleware before
   * the look-up made of them, such as `req.session`, is request state, and counts if it is read.
   *
   * @defaultValue all, as they were sent
   */
  readonly cookies?: readonly string[];

  /**
   * Names of the only request headers that code behind the look-up sees on a GET or HEAD, such as
   * `['cookie', 'accept-language']`. The cache takes all others from the request, so that no page
   * depends on them. `Host` and the headers that never count stay.
   *
   * @defaultValue all
   */
  readonly headers?: readonly string[];

  /** What counts of the request state. @defaultValue all that is read */
  readonly state?: StateRules;

  /** An extra part of the cache key, such as the visitor's tenant or plan. */
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
   * Seconds that clients are told to keep a page, in `max-age` and `Expires`. The cache itself keeps it
   * for its whole lifetime. `0`: clients ask each time (`max-age=0, must-revalidate`), and learn of a
   * purge at once.
   *
   * @defaultValue the page's lifetime
   */
  readonly browserSeconds?: number;

  /**
   * Whether a request bypasses the cache: it gets no stored response, and what is made for it is not
   * stored. The cache calls this once for each GET or HEAD, at the look-up. Purges go on.
   *
   * @example skip: (req) => req.url === '/health'
   */
  readonly skip?: RequestTest;

  /**
   * Whether a response may be stored that the cache would store. The cache calls this with the whole
   * body, before it stores it. It must answer at once: a promise is not waited for.
   *
   * @example storeIf: (req, res, body) => body.length > 0
   */
  readonly storeIf?: ResponseTest;

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
   * Without it, a cookie keeps a response from being stored, unless middleware outside the cache sets it
   * and the client has just sent it with the same value.
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

  /**
   * Names of response fields that are made for each request, and never stored where the cache stands
   * before the whole app (`cacheApp`, with `before` or without). They are added to those that are known: request and trace ids,
   * `Server-Timing`, `X-Response-Time`, `X-Runtime`, `Retry-After`, and the fields of rate limits.
   *
   * @defaultValue none
   */
  readonly perRequestFields?: readonly string[];

  /** Time zone in which this request is answered, which becomes part of the key. */
  readonly timeZone?: (req: Request) => string;

  /**
   * Whether request headers that code behind the look-up reads on a miss count as varying: they are in
   * the page's key, and are added to `Vary`. Every header counts when it is read, `User-Agent` and
   * `Referer` too. Only these never count: `Host`, which is part of the URL, and those that belong to
   * the connection, or that the cache answers itself. A list of names: those do not count either.
   *
   * Without it, a handler that greets by cookie and forgets `Vary` greets everyone alike.
   *
   * This concerns headers alone. A page that reads request state (`req.user`, a field of `req.session`,
   * an entry of `res.locals`) always varies by its value: visitors with another value get another page.
   * {@link PageKeyRules.state} narrows that. A page for which `req.ip` or `req.rawHeaders` was read is
   * not stored.
   *
   * @defaultValue true
   */
  readonly varyOnRead?: boolean | readonly string[];

  /**
   * Variants kept of one URL at most. Those with a visitor's state are evicted first.
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
   * the handlers can be asked whether it still holds. With `patchHeaders: false` all pages are kept,
   * for clients that accept them stale (`max-stale`) and for `originUnreachable()`.
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
   * failed. Nobody waits for a page to be stored. The response to a request that changes something
   * waits for its purge, no longer than that.
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
