import type { Request } from '../headers/middleware';
import { runDetached } from './detached-request';
import { type Flight, type Landing, landFound, type PageFlights } from './flights';
import type { InputValues } from './inputs/input-values';
import { headersForRefresh } from './inputs/shown-headers';
import { PageLease } from './page-lease';
import { backendOf, finishBeforeClose, type PageSettings, reportFailure } from './page-settings';
import { findResponse, hasStatePresent, type PageLookup } from './page-store';
import type { PageKey } from './request-key';
import { settledWithin } from './settled-within';

/** The request whose page is refreshed. */
export interface RefreshStart {
  readonly req: Request;
  readonly settings: PageSettings;
  readonly key: PageKey;
  readonly values: InputValues;
  /** `undefined` if there is no backend. */
  readonly flights: PageFlights | undefined;
}

/**
 * Whether a page can be refreshed behind the scenes. A refresh has no visitor, and so none of a visitor's
 * state; and where middleware lets nobody but visitors pass, the next visitor renders the page.
 */
export function isRefreshable(
  { values, flights }: Pick<RefreshStart, 'values' | 'flights'>,
  { storageKey, inputs = [] }: PageLookup,
): boolean {
  return (
    flights?.isUnrefreshable(storageKey, Date.now()) !== true && !hasStatePresent(inputs, values)
  );
}

/**
 * Renders a page behind the scenes, unless that is under way or failed just now.
 *
 * @returns What it comes to; `undefined` if nothing was begun.
 */
export function refresh(start: RefreshStart, lookup: PageLookup): Promise<Landing> | undefined {
  const { req, settings, key, values, flights } = start;
  const { storageKey, inputs = [] } = lookup;
  if (flights === undefined || !isRefreshable(start, lookup)) return undefined;
  if (flights.isBackingOff(storageKey, Date.now())) return undefined;
  const underWay = flights.get(storageKey);
  if (underWay?.isOlderThan(settings.waitMs) === false) return underWay.landing;
  const flight = flights.begin(storageKey);
  // The language is in the key, and was most probably taken from there.
  const named = settings.language === undefined ? inputs : [...inputs, 'accept-language'];
  const headers = headersForRefresh(named, values.headers);
  const land = landOnce(flights, flight, storageKey);
  // Not in the way of the answer that this is about.
  setImmediate(async () => {
    if (!(await isOurTurn(start, storageKey, flight))) return;
    try {
      runDetached(req, key.url, headers, { key: storageKey, land });
    } catch (error) {
      reportFailure(settings, error, { operation: 'write', key: storageKey });
      land({ kind: 'failed' });
    }
  });
  finishBeforeClose(settings, settledWithin(flight.landing, settings.waitMs));
  return flight.landing;
}

function landOnce(flights: PageFlights, flight: Flight, storageKey: string) {
  let hasLanded = false;
  return (landing: Landing): void => {
    if (hasLanded) return;
    hasLanded = true;
    const now = Date.now();
    // A handler that answered with an error was noted already.
    const isFailure = landing.kind === 'failed' && !flights.isBackingOff(storageKey, now);
    if (landing.kind === 'uncacheable') flights.markUnrefreshable(storageKey, now);
    else if (isFailure) flights.markFailed(storageKey, now);
    flight.land(landing);
  };
}

/** Whether no other process refreshes the page. If one does, the flight lasts until it is done. */
async function isOurTurn(
  { settings, key, values }: RefreshStart,
  storageKey: string,
  flight: Flight,
): Promise<boolean> {
  if (!backendOf(settings).isShared) return true;
  const turn = await PageLease.take(settings, storageKey);
  if (turn === 'unavailable' || turn === 'silent') return true;
  if (turn instanceof PageLease) {
    flight.holdUnder(turn);
    flight.isConfirming = true;
    const found = await findResponse(settings, key, values, true);
    const { response } = found;
    flight.isConfirming = response?.isFresh(Date.now()) === true;
    if (!flight.isConfirming) return true;
    // Another has refreshed it since it was found to be stale.
    landFound(flight, response!, found.inputs, values);
    return false;
  }
  if (turn === 'held') {
    await PageLease.waitForRelease(settings, storageKey, performance.now() + settings.waitMs);
  }
  flight.land(turn === 'held' ? { kind: 'failed' } : { kind: turn, isLasting: true });
  return false;
}
