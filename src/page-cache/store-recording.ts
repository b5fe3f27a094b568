import { parseCacheGroups } from '../http/cache-groups';
import type { HeaderValue } from '../http/header-value';
import { commit } from './commit';
import { detachedRunOf } from './detached-request';
import type { FillStart } from './fill-start';
import type { Landing } from './flights';
import type { StoredResponse } from './stored-response';

/** A whole response that may be stored. */
export interface RecordedPage {
  readonly response: StoredResponse;
  readonly inputs: readonly string[];
  /** Whether it is the stored response, which the handlers have confirmed. It has its tags already. */
  readonly isConfirmed: boolean;
  land(landing: Landing): void;
}

/** Stores the page of a run, unless it was purged meanwhile. */
export function storeRecording(
  { req, res, settings, key, values, lookup, flight, flights, noted }: FillStart,
  { response, inputs, isConfirmed, land }: RecordedPage,
): void {
  const run = detachedRunOf(req);
  if (run !== undefined) run.isComplete = true;
  const confirmed = isConfirmed ? [...(lookup.counters?.keys() ?? [])] : [];
  const groups = parseCacheGroups(res.getHeader('cache-groups') as HeaderValue);
  commit(
    {
      settings,
      res,
      storageKey: lookup.storageKey,
      flight,
      flights,
      noted,
      groups,
      confirmed,
      land,
    },
    { key, inputs, values, response },
  );
}
