import type { ServerResponse } from 'node:http';
import type { BaseCache } from '../cache/base-cache';
import { nameOfGroup, nameOfUrl } from '../cache/tag-names';
import type { Request, Response } from '../headers/middleware';
import { onResponseHead } from '../headers/on-response-head';
import { parseCacheGroups } from '../http/cache-groups';
import type { HeaderValue } from '../http/header-value';
import { backendOf, type PageSettings, reportFailure } from './page-settings';
import { absoluteUrl } from './request-key';

/** Methods that change nothing (RFC 9110 §9.2.1). */
const SAFE_METHODS = new Set([
  ...['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH', 'QUERY'],
]);

/** Page caches of this process, by what tells their keys apart. */
const spaces = new Set<() => PageSettings>();

/** Makes a page cache known, so that its pages are invalidated too. */
export function registerSpace(currentSettings: () => PageSettings): void {
  spaces.add(currentSettings);
}

/**
 * Purges the pages of a URL, all variants and languages, from every cache in which this process
 * keeps pages: those of `updateCache`, `fetchFromCache` and `cachePage`. Once it is fulfilled nobody
 * is shown them any more, in whichever process; pages being rendered at the time are not stored.
 *
 * @param url - Absolute, as the visitor's browser shows it: `https://shop.example/list?page=2`.
 * @throws TypeError if `url` is not absolute; what a backend threw, once all others are done.
 */
export async function invalidate(url: string | URL): Promise<void> {
  const absolute = url instanceof URL ? url.href : url;
  // Throws where no page cache was made yet, too.
  nameOfUrl(absolute);
  await purgeEverywhere(({ targetRule }) => [nameOfUrl(targetRule?.(absolute) ?? absolute)], false);
}

/** Purges what has these names, from every cache in which this process keeps pages. */
async function purgeEverywhere(
  namesIn: (settings: PageSettings) => readonly string[],
  isLate: boolean,
): Promise<void> {
  // Many routes may share one cache.
  const names = new Map<BaseCache, Set<string>>();
  for (const currentSettings of spaces) {
    const settings = currentSettings();
    const cache = backendIn(settings);
    if (cache === undefined) continue;
    names.set(cache, new Set([...(names.get(cache) ?? []), ...namesIn(settings)]));
  }
  const purges = [...names].map(([cache, known]) => {
    const purge = (async () => cache.tags.purge([...known], 'hard', isLate))();
    cache.finishBeforeClose(purge);
    return purge;
  });
  for (const outcome of await Promise.allSettled(purges)) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
}

function backendIn(settings: PageSettings): BaseCache | undefined {
  try {
    return backendOf(settings);
  } catch {
    // There is no such cache, and so no page in it.
    return undefined;
  }
}

/**
 * Invalidates what an unsafe request has changed, if it succeeds: its URL, those of the same origin
 * that `Location` and `Content-Location` name, and the groups of that origin that
 * `Cache-Group-Invalidation` names.
 *
 * @see RFC 9111 §4.4; RFC 9875 §3
 */
export function invalidateOnSuccess(
  req: Request,
  response: Response,
  settings: PageSettings,
): void {
  if (SAFE_METHODS.has(req.method ?? '')) return;
  const res = response as ServerResponse;
  const sentFor = absoluteUrl(req);
  onResponseHead(res, () => {
    if (res.statusCode < 200 || res.statusCode > 399) return;
    // An app on the way may trust proxies, and handlers may have rewritten the target: caches before
    // and behind them have made their keys of either.
    const urls = new Set([sentFor, absoluteUrl(req)].filter((url) => url !== undefined));
    for (const url of urls) invalidateAll(url, res, settings);
  });
}

/** Invalidates what a response to a request for `url` tells to have changed. */
function invalidateAll(url: string, res: ServerResponse, settings: PageSettings): void {
  const report = (key: string) => (error: unknown) => {
    reportFailure(settings, error, { operation: 'write', key });
  };
  for (const page of [url, ...namedUrls(url, res)]) invalidate(page).catch(report(page));
  const groups = parseCacheGroups(res.getHeader('cache-group-invalidation') as HeaderValue);
  if (groups.length === 0) return;
  const names = groups.map((group) => nameOfGroup(url, group));
  purgeEverywhere(() => names, true).catch(report(url));
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
