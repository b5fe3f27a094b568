import { channel } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import type { Request, Response } from '../headers/middleware';
import { onResponseHead } from '../headers/on-response-head';
import { type CacheOutcome, formatCacheStatus } from '../http/cache-status';
import { type HeaderValue, headerLines } from '../http/header-value';
import type { PageSettings } from './page-settings';

/** What subscribers of the channel `cachewright:page` get, once for each request looked up. */
export interface PageOutcomeMessage {
  readonly request: Request;
  readonly outcome: CacheOutcome;
}

const outcomes = channel('cachewright:page');

/** Whether anybody would be told of an outcome. */
export function hasListeners({ cacheStatus }: PageSettings): boolean {
  return cacheStatus !== undefined || outcomes.hasSubscribers;
}

/**
 * Tells what the cache did with a request: subscribers of the diagnostics channel
 * `cachewright:page`, and the client where `Cache-Status` is switched on.
 *
 * @returns the value of `Cache-Status`; `undefined`: none is sent.
 */
export function tellOutcome(
  request: Request,
  { cacheStatus }: PageSettings,
  outcome: CacheOutcome,
): string | undefined {
  if (outcomes.hasSubscribers) {
    outcomes.publish({ request, outcome } satisfies PageOutcomeMessage);
  }
  return cacheStatus === undefined ? undefined : formatCacheStatus(cacheStatus, outcome);
}

/** The same for a request that is none of the cache's business, as its head is sent. */
export function tellAtHead(
  request: Request,
  response: Response,
  settings: PageSettings,
  outcome: CacheOutcome,
): void {
  const status = tellOutcome(request, settings, outcome);
  if (status !== undefined) onResponseHead(response, () => addCacheStatus(response, status));
}

/** Adds this cache to those that tell of themselves in `Cache-Status` (RFC 9211 §2). */
export function addCacheStatus(response: Response, status: string | undefined): void {
  if (status === undefined) return;
  const res = response as ServerResponse;
  res.setHeader('Cache-Status', joinCacheStatus(res.getHeader('cache-status'), status));
}

/** The field with the member of this cache, which is nearer to the client, at its end. */
export function joinCacheStatus(existing: HeaderValue, status: string): string {
  return [...headerLines(existing), status].join(', ');
}
