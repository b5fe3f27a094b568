import type { ServerResponse } from 'node:http';
import type { BaseCache } from '../cache/base-cache';
import { withDeadline } from '../cache/deadline';
import type { MaybePromise } from '../cache/maybe-promise';
import { nameOfGroup, nameOfUrl } from '../cache/tag-names';
import { CacheUnavailableError } from '../errors';
import type { Request, Response } from '../headers/middleware';
import { onResponseHead } from '../headers/on-response-head';
import { parseCacheGroups } from '../http/cache-groups';
import type { HeaderValue } from '../http/header-value';
import { holdOf } from './hold-response';
import { backendOf, type PageSettings, reportFailure } from './page-settings';
import { knownSpaces } from './page-spaces';
import { absoluteUrl } from './request-key';

/** Methods that change nothing (RFC 9110 §9.2.1). */
const SAFE_METHODS = new Set([
  ...['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH', 'QUERY'],
]);

/**
 * Purges the pages of a URL, all variants and languages, from every cache in which this process
 * keeps pages: those of `updateCache`, `fetchFromCache` and `cachePage`. Once it is fulfilled nobody
 * is shown them any more, in whichever process; pages being rendered at the time are not stored.
 *
 * @param url - Absolute, as the visitor's browser shows it: `https://shop.example/list?page=2`.
 * @throws TypeError if `url` is not absolute; what a backend threw, once all others are done.
 */
export async function invalidate(url: string | URL): Promise<void> {
  await purgeUrls([String(url)]);
}

/** @param maxMs - See {@link purgeEverywhere}. @throws TypeError if one of them is not absolute. */
function purgeUrls(urls: readonly string[], maxMs?: number): MaybePromise<void> {
  // Throws where no page cache was made yet, too.
  for (const url of urls) nameOfUrl(url);
  const namesIn = ({ targetRule }: Space) => urls.map((url) => nameOfUrl(targetRule?.(url) ?? url));
  return purgeEverywhere(namesIn, { isLate: false, maxMs });
}

type Space = Pick<PageSettings, 'cache' | 'targetRule'>;

interface PurgeTerms {
  /** See `Tags.purge`. */
  readonly isLate: boolean;
  /**
   * Milliseconds after which the caller gives up on a cache; a cache whose purges always take a certain
   * time gets that in addition. The purge itself goes on.
   */
  readonly maxMs: number | undefined;
}

/**
 * Purges what has these names, from every cache in which this process keeps pages. At once if all of
 * them are in the memory of this process.
 *
 * @throws what a cache threw, once all others are done.
 */
function purgeEverywhere(
  namesIn: (space: Space) => readonly string[],
  { isLate, maxMs }: PurgeTerms,
): MaybePromise<void> {
  // Many routes may share one cache.
  const names = new Map<BaseCache, Set<string>>();
  for (const space of knownSpaces()) {
    const cache = backendIn(space);
    if (cache === undefined) continue;
    names.set(cache, new Set([...(names.get(cache) ?? []), ...namesIn(space)]));
  }
  const purges: Promise<void>[] = [];
  for (const [cache, known] of names) {
    const purge = begun(() => cache.tags.purge([...known], 'hard', isLate));
    if (!(purge instanceof Promise)) continue;
    cache.finishBeforeClose(purge);
    purges.push(maxMs === undefined ? purge : settledWithin(purge, maxMs + cache.purgeWaitMs));
  }
  return purges.length === 0 ? undefined : settled(purges);
}

/** What `work` returns; what it throws, as the rejection of a promise. */
function begun(work: () => MaybePromise<void>): MaybePromise<void> {
  try {
    return work();
  } catch (error) {
    return Promise.reject(error);
  }
}

async function settled(purges: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(purges)) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
}

function settledWithin(purge: Promise<void>, ms: number): Promise<void> {
  return withDeadline(
    () => purge,
    ms,
    () => new CacheUnavailableError(`A purge took longer than ${ms} ms. It goes on.`, 'timeout'),
  );
}

function backendIn(space: Space): BaseCache | undefined {
  try {
    return backendOf(space);
  } catch {
    // There is no such cache, and so no page in it.
    return undefined;
  }
}

/**
 * Invalidates what an unsafe request has changed, if it succeeds: its URL, those of the same origin
 * that `Location` and `Content-Location` name, and the groups of that origin that
 * `Cache-Group-Invalidation` names. The response ends once nobody is shown those pages any more, or
 * `writeTimeoutMs` later.
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
  const hold = holdOf(res);
  onResponseHead(res, () => {
    if (res.statusCode < 200 || res.statusCode > 399) return;
    // An app on the way may trust proxies, and handlers may have rewritten the target: caches before
    // and behind them have made their keys of either.
    const urls = new Set([sentFor, absoluteUrl(req)].filter((url) => url !== undefined));
    for (const url of urls) {
      for (const purge of purgesFor(url, res, settings)) {
        if (purge instanceof Promise) hold.until(purge);
      }
    }
  });
}

/** Invalidates what a response to a request for `url` tells to have changed. None of them rejects. */
function purgesFor(url: string, res: ServerResponse, settings: PageSettings): MaybePromise<void>[] {
  const reported = (purge: MaybePromise<void>) =>
    purge instanceof Promise
      ? purge.catch((error) => {
          reportFailure(settings, error, { operation: 'write', key: url });
        })
      : purge;
  const { writeTimeoutMs: maxMs } = settings;
  const urls = [...new Set([url, ...namedUrls(url, res)])];
  const pages = reported(begun(() => purgeUrls(urls, maxMs)));
  const groups = parseCacheGroups(res.getHeader('cache-group-invalidation') as HeaderValue);
  if (groups.length === 0) return [pages];
  const names = groups.map((group) => nameOfGroup(url, group));
  return [pages, reported(begun(() => purgeEverywhere(() => names, { isLate: true, maxMs })))];
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
