import type { ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Request, Response } from '../headers/middleware';
import { onResponseHead } from '../headers/on-response-head';
import type { PageSettings } from './page-settings';
import { removePages } from './page-store';
import { absoluteUrl, keysOf, type PageKey, pageUrl } from './request-key';

/** Methods that change nothing (RFC 9110 §9.2.1). */
const SAFE_METHODS = new Set([
  ...['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH', 'QUERY'],
]);

/** Page caches of this process, by what tells their keys apart. */
const spaces = new Set<() => PageSettings>();

/** Language and time zone suffixes seen; languages are few, invented ones push each other out. */
const suffixes = new LRUCache<string, true>({ max: 1000 });

/** Order of events in this process: what began before an invalidation must not be stored after. */
let clock = 0;
/** When the latest invalidation was that is forgotten. Any page may have been meant. */
let forgottenAt = 0;
const invalidatedAt = new LRUCache<string, number>({
  max: 10_000,
  dispose: (instant, _url, reason) => {
    if (reason === 'evict') forgottenAt = Math.max(forgottenAt, instant);
  },
});

/** What is to be removed from one cache, by its keys. */
interface Removal {
  /** Those of the page cache made first, of several that share it. */
  readonly settings: PageSettings;
  readonly keys: Map<string, PageKey>;
}

/** Makes a page cache known, so that its pages are invalidated too. */
export function registerSpace(currentSettings: () => PageSettings): void {
  spaces.add(currentSettings);
}

/** Notes that pages are kept under this suffix. */
export function noteSuffix(suffix: string): void {
  if (suffix !== '') suffixes.set(suffix, true);
}

/** The present instant in the order of invalidations. */
export function invalidationClock(): number {
  return clock;
}

/** Whether the page was invalidated since `instant`, so that what was begun then is outdated. */
export function isInvalidatedSince(url: string, instant: number): boolean {
  return (invalidatedAt.get(url) ?? forgottenAt) > instant;
}

/**
 * Removes the pages of a URL, all variants and languages, from every page cache of this process:
 * those of `updateCache`, `fetchFromCache` and `cachePage`. Pages being rendered at the time are
 * not stored.
 *
 * @param url - Absolute, as the visitor's browser shows it: `https://shop.example/list?page=2`.
 * @throws TypeError if `url` is not absolute.
 */
export async function invalidate(url: string): Promise<void> {
  if (!/^[a-z][a-z\d+.-]*:\/\/[^/]/i.test(url)) {
    throw new TypeError(`invalidate() got ${JSON.stringify(url)}. Give an absolute URL.`);
  }
  clock += 1;
  // Many routes may share one cache and prefix.
  const removals = new Map<PageSettings['cache'], Removal>();
  for (const currentSettings of spaces) {
    const settings = currentSettings();
    const page = pageUrl(settings.targetRule?.(url) ?? url);
    invalidatedAt.set(page, clock);
    const removal = removals.get(settings.cache) ?? { settings, keys: new Map() };
    removals.set(settings.cache, removal);
    for (const suffix of ['', ...suffixes.keys()]) {
      for (const key of keysOf(page, settings.keyPrefix, suffix)) {
        removal.keys.set(key.base, key);
      }
    }
  }
  await Promise.all(
    [...removals.values()].map(({ settings, keys }) => removePages(settings, [...keys.values()])),
  );
}

/**
 * Invalidates what an unsafe request has changed, if it succeeds: its URL, and those of the same
 * origin that `Location` and `Content-Location` name.
 *
 * @see RFC 9111 §4.4
 */
export function invalidateOnSuccess(req: Request, response: Response): void {
  if (SAFE_METHODS.has(req.method ?? '')) return;
  const res = response as ServerResponse;
  onResponseHead(res, () => {
    const url = absoluteUrl(req);
    if (url === undefined || res.statusCode < 200 || res.statusCode > 399) return;
    for (const page of [url, ...namedUrls(url, res)]) void invalidate(page);
  });
}

function namedUrls(url: string, res: ServerResponse): string[] {
  const origin = /^[^:]+:\/\/[^/]+/.exec(url)![0];
  return ['location', 'content-location'].flatMap((name) => {
    const value = res.getHeader(name);
    if (value === undefined) return [];
    const reference = String(value);
    // As it is written, for keys are made of URLs as they are written.
    if (/^\/(?!\/)/.test(reference)) return [origin + reference];
    if (reference.startsWith(`${origin}/`)) return [reference];
    if (!URL.canParse(reference, url)) return [];
    const resolved = new URL(reference, url);
    const isSameOrigin = resolved.origin === new URL(url).origin;
    return isSameOrigin ? [origin + resolved.pathname + resolved.search] : [];
  });
}
