import type { ServerResponse } from 'node:http';
import type { MaybePromise } from '../cache/maybe-promise';
import type { Next } from '../headers/middleware';
import type { CacheOutcome } from '../http/cache-status';
import { type Flight, isLandedFor, type Landing, landFound, type PageFlights } from './flights';
import type { InputValues } from './inputs/input-values';
import { PageLease } from './page-lease';
import { backendOf, type PageSettings, reportFailure } from './page-settings';
import { findResponse, type PageLookup } from './page-store';
import { areCurrent } from './page-tags';
import type { PageKey } from './request-key';
import { settledWithin } from './settled-within';
import type { StoredResponse } from './stored-response';

/** A request that missed, as far as others are concerned that miss the same page. */
export interface Missed {
  readonly res: ServerResponse;
  readonly settings: PageSettings;
  readonly key: PageKey;
  readonly values: InputValues;
  readonly flights: PageFlights | undefined;
  /** When the look-up began, in the order in which pages are stored. */
  readonly searchedAt: number;
  isReusable(response: StoredResponse): boolean;
  /** Whether a cache around this one leads the flight, for this very request, and waits in its turn. */
  isLedFurtherOut(flight: Flight): boolean;
  search(next: Next, deadline: number): MaybePromise<void>;
  decide(lookup: PageLookup, next: Next, deadline: number): MaybePromise<void>;
  run(lookup: PageLookup, next: Next, flight: Flight | undefined): MaybePromise<void>;
  hit(response: StoredResponse, outcome: CacheOutcome): void;
}

/**
 * Waits for another request that renders the same page, or renders it.
 *
 * @param deadline - Of the waiting, on the clock of `performance.now()`.
 */
export function join(
  missed: Missed,
  lookup: PageLookup,
  next: Next,
  deadline: number,
): MaybePromise<void> {
  const { settings, flights } = missed;
  const { storageKey } = lookup;
  const leftMs = deadline - performance.now();
  if (flights === undefined || flights.isUncacheable(storageKey, Date.now())) {
    return missed.run(lookup, next, undefined);
  }
  const flight = flights.get(storageKey);
  if (flight !== undefined && missed.isLedFurtherOut(flight)) {
    return missed.run(lookup, next, undefined);
  }
  // The look-up took so long that it missed what was rendered meanwhile. One that had no answer would
  // have none the next time.
  const isMissed = flight === undefined && flights.isStoredSince(storageKey, missed.searchedAt);
  if (isMissed && !lookup.isBlind) return missed.search(next, deadline);
  if (flight === undefined || flight.isOlderThan(settings.waitMs)) {
    const own = flights.begin(storageKey);
    const isAlone = lookup.isBlind || !backendOf(settings).isShared;
    if (isAlone) return missed.run(lookup, next, own);
    return lead(missed, lookup, next, own, deadline);
  }
  if (leftMs <= 0) return missed.run(lookup, next, undefined);
  const isInTime = !flight.isConfirming;
  const arrival = Promise.race([flight.landing, flight.released]);
  return settledWithin(arrival, leftMs).then((landing) =>
    afterWaiting(missed, { landing, isInTime }, lookup, next, deadline),
  );
}

/**
 * Renders the page once it is this process's turn among those that share the backend, unless
 * another has rendered it by then.
 */
async function lead(
  missed: Missed,
  start: PageLookup,
  next: Next,
  flight: Flight,
  deadline: number,
): Promise<void> {
  const { settings, key, values, res } = missed;
  const { storageKey } = start;
  for (let lookup = start; ; ) {
    const turn = await PageLease.take(settings, storageKey);
    if (turn instanceof PageLease) flight.holdUnder(turn);
    const outcome =
      turn === 'held' ? await PageLease.waitForRelease(settings, storageKey, deadline) : turn;
    // Nobody is there to be answered; one of those who wait takes over.
    if (res.destroyed) return flight.land({ kind: 'failed' });
    if (outcome === 'silent') return missed.run({ ...lookup, isBlind: true }, next, flight);
    if (outcome === 'late') flight.beginNow();
    if (outcome === 'late' || outcome === 'unavailable') return missed.run(lookup, next, flight);
    if (outcome === 'uncacheable') {
      missed.flights?.markUncacheable(storageKey, Date.now());
      flight.land({ kind: 'uncacheable', isLasting: true });
      return missed.run(lookup, next, undefined);
    }
    flight.isConfirming = true;
    lookup = await findResponse(settings, key, values, true);
    const { response } = lookup;
    if (response !== undefined && missed.isReusable(response)) {
      landFound(flight, response, lookup.inputs, values);
      return missed.hit(response, { collapsed: true });
    }
    if (lookup.storageKey !== storageKey) {
      flight.land({ kind: 'failed' });
      return missed.decide(lookup, next, deadline);
    }
    flight.isConfirming = false;
    if (outcome instanceof PageLease) return missed.run(lookup, next, flight);
  }
}

async function afterWaiting(
  missed: Missed,
  {
    landing,
    isInTime,
  }: { readonly landing: Landing | 'released' | undefined; readonly isInTime: boolean },
  lookup: PageLookup,
  next: Next,
  deadline: number,
): Promise<void> {
  // Nobody is there to be answered.
  if (missed.res.destroyed) return;
  if (landing === undefined) return join(missed, lookup, next, deadline);
  if (landing === 'released') return missed.run({ ...lookup, isBlind: true }, next, undefined);
  if (landing.kind === 'uncacheable') return missed.run(lookup, next, undefined);
  if (landing.kind === 'stored') {
    const isMine = isLandedFor(landing, missed.values);
    const isCurrent = !isMine || isInTime || (await isStillCurrent(missed, landing));
    if (isCurrent === undefined) return missed.run({ ...lookup, isBlind: true }, next, undefined);
    if (isMine && isCurrent) return missed.hit(landing.response, { collapsed: true });
    const { written } = landing;
    if (written !== undefined) await settledWithin(written, deadline - performance.now());
  }
  return missed.search(next, deadline);
}

/** Whether it is known not to have been purged or removed until now. */
async function isStillCurrent(
  { settings, key }: Missed,
  { counters }: Landing & { kind: 'stored' },
): Promise<boolean | undefined> {
  if (counters === undefined) return false;
  try {
    return await areCurrent(settings, counters);
  } catch (error) {
    reportFailure(settings, error, { operation: 'read', key: key.base });
    return undefined;
  }
}
