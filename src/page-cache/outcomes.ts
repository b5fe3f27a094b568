import { channel } from 'node:diagnostics_channel';
import type { Request } from '../headers/middleware';
import { type CacheOutcome, formatCacheStatus } from '../http/cache-status';
import type { PageSettings } from './page-settings';

/** What subscribers of the channel `cachewright:page` get, once for each request looked up. */
export interface PageOutcomeMessage {
  readonly request: Request;
  readonly outcome: CacheOutcome;
}

const outcomes = channel('cachewright:page');

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
