import type { BaseCache } from '../cache/base-cache';
import { warnSeldom } from '../cache/warn-seldom';
import { backendNamed } from '../caches';
import type { Request } from '../headers/middleware';
import { checkPageOptions } from './check-page-options';
import type {
  PageCacheFailure,
  PageCacheOptions,
  PageKeyRules,
  RequestTest,
  ResponseTest,
  StateRules,
} from './page-options';
import type { PreferenceRules } from './preference-rules';
import { type TargetRule, targetRule } from './query-rules';

export { checkPageOptions } from './check-page-options';
export type {
  PageCacheFailure,
  PageCacheOptions,
  PageKeyRules,
  RequestTest,
  ResponseTest,
  StateRules,
} from './page-options';

/** {@link StateRules} with nothing left open. */
export interface StateSettings {
  readonly ignore: ReadonlySet<string>;
  /** `undefined`: all state counts. */
  readonly only: ReadonlySet<string> | undefined;
  /** Header names in lower case; `undefined`: the cache finds out. */
  readonly from: readonly string[] | undefined;
}

/**
 * Response fields that are made for each request, in lower case. A cache before the whole app must not
 * give one visitor those of another.
 */
const PER_REQUEST_FIELDS: ReadonlySet<string> = new Set([
  ...['x-request-id', 'x-correlation-id', 'request-id', 'correlation-id'],
  ...['traceparent', 'tracestate', 'x-trace-id'],
  ...['server-timing', 'x-response-time', 'x-runtime'],
  ...['ratelimit', 'ratelimit-policy', 'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'],
  ...['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'x-ratelimit-used'],
  ...['x-ratelimit-resource', 'retry-after'],
]);

/** {@link PageCacheOptions} with nothing left open. */
export interface PageSettings {
  readonly cache: string | BaseCache;
  readonly seconds: number | null;
  /** What clients are told; `undefined`: the page's lifetime. */
  readonly browserSeconds: number | undefined;
  readonly skip: RequestTest | undefined;
  readonly storeIf: ResponseTest | undefined;
  readonly keyPrefix: string;
  readonly maxBytes: number;
  readonly storeCookies: boolean;
  readonly hosts: ReadonlySet<string> | undefined;
  readonly targetRule: TargetRule | undefined;
  /** Names of the cookies that count; `undefined`: all do. */
  readonly cookies: ReadonlySet<string> | undefined;
  /** Names in lower case of the headers that count; `undefined`: all do. */
  readonly headers: ReadonlySet<string> | undefined;
  readonly state: StateSettings;
  readonly segment: ((req: Request) => string) | undefined;
  readonly language: ((req: Request) => string) | undefined;
  readonly timeZone: ((req: Request) => string) | undefined;
  readonly tags: ((req: Request) => readonly string[]) | undefined;
  readonly tagHeaders: 'strip' | 'keep';
  readonly limitToFragments: boolean;
  /** Response fields never stored where the cache is outermost, in lower case. */
  readonly perRequestFields: ReadonlySet<string>;
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
  browserSeconds: undefined,
  skip: undefined,
  storeIf: undefined,
  keyPrefix: '',
  maxBytes: 1024 * 1024,
  storeCookies: false,
  hosts: undefined,
  targetRule: undefined,
  cookies: undefined,
  headers: undefined,
  state: { ignore: new Set(), only: undefined, from: undefined },
  segment: undefined,
  language: undefined,
  timeZone: undefined,
  tags: undefined,
  tagHeaders: 'strip',
  limitToFragments: false,
  perRequestFields: PER_REQUEST_FIELDS,
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
export function backendOf({ cache }: Pick<PageSettings, 'cache'>): BaseCache {
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
    browserSeconds: options.browserSeconds ?? base.browserSeconds,
    skip: options.skip ?? base.skip,
    storeIf: options.storeIf ?? base.storeIf,
    keyPrefix: options.keyPrefix === null ? '' : (options.keyPrefix ?? base.keyPrefix),
    maxBytes: options.maxBytes ?? base.maxBytes,
    storeCookies: options.storeCookies ?? base.storeCookies,
    ...keyRules(options.key, base),
    language: options.language ?? base.language,
    timeZone: options.timeZone ?? base.timeZone,
    tags: options.tags ?? base.tags,
    tagHeaders: options.tagHeaders ?? base.tagHeaders,
    limitToFragments: options.limitToFragments ?? base.limitToFragments,
    perRequestFields: perRequestFields(options.perRequestFields, base.perRequestFields),
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

type KeySettings = Pick<
  PageSettings,
  'hosts' | 'targetRule' | 'cookies' | 'headers' | 'state' | 'segment' | 'normalize' | 'preferences'
>;

/** The rules of the options, which replace those configured as a whole. */
function keyRules(rules: PageKeyRules | undefined, base: KeySettings): KeySettings {
  if (rules === undefined) {
    const { hosts, targetRule: rule, cookies, headers, state, segment, normalize } = base;
    const { preferences } = base;
    return { hosts, targetRule: rule, cookies, headers, state, segment, normalize, preferences };
  }
  return {
    hosts: rules.hosts && new Set(rules.hosts),
    targetRule: rules.query && targetRule(rules.query),
    cookies: rules.cookies && new Set(rules.cookies),
    headers: rules.headers && new Set(rules.headers.map(toLowerCase)),
    state: stateRules(rules.state ?? {}),
    segment: rules.segment,
    normalize: rules.normalize === true,
    preferences: typeof rules.normalize === 'object' ? rules.normalize : undefined,
  };
}

function stateRules({ ignore = [], only, from }: StateRules): StateSettings {
  return {
    ignore: new Set(ignore),
    only: only && new Set(only),
    from: from?.map(toLowerCase),
  };
}

function perRequestFields(
  option: readonly string[] | undefined,
  fallback: ReadonlySet<string>,
): ReadonlySet<string> {
  if (option === undefined) return fallback;
  return new Set([...PER_REQUEST_FIELDS, ...option.map(toLowerCase)]);
}

function toLowerCase(name: string): string {
  return name.toLowerCase();
}

function ignoredReads(
  option: boolean | readonly string[] | undefined,
  fallback: ReadonlySet<string> | undefined,
): ReadonlySet<string> | undefined {
  if (option === undefined) return fallback;
  if (option === false) return undefined;
  return new Set(option === true ? [] : option.map(toLowerCase));
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
