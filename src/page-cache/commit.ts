import { after, type MaybePromise } from '../cache/maybe-promise';
import { nameOfGroup, tagName } from '../cache/tag-names';
import type { Counters, Noted } from '../cache/tags';
import type { Response } from '../headers/middleware';
import { tagsOf } from './cache-tags';
import type { Flight, Landing, PageFlights } from './flights';
import { finishBeforeClose, type PageSettings, reportFailure } from './page-settings';
import { type Draft, openPlace, type Place, storeResponse } from './page-store';
import { confirmTags } from './page-tags';
import { variantOf } from './request-key';

/** What a response is stored with. */
export interface CommitPlan {
  readonly settings: PageSettings;
  readonly res: Response;
  readonly storageKey: string;
  readonly flight: Flight | undefined;
  readonly flights: PageFlights | undefined;
  /** The counters of the page's tags; `undefined` if the backend did not tell. */
  readonly noted: Noted | undefined;
  /** Groups that the response names (RFC 9875). */
  readonly groups: readonly string[];
  /** Names of counters that the stored response had, if it is the one that is kept. */
  readonly confirmed: readonly string[];
  land(landing: Landing): void;
}

/** Keeps the page, unless it was purged while it was made. Never throws and never rejects. */
export function commit(plan: CommitPlan, draft: Draft): void {
  const { settings, noted, storageKey, flight } = plan;
  if (noted === undefined) {
    // The backend is down. Those who wait are answered all the same.
    settle(plan, draft, undefined, () => {});
    return;
  }
  const late = tagsOf(plan.res).map(tagName);
  for (const group of plan.groups) late.push(nameOfGroup(draft.key.url, group));
  late.push(...plan.confirmed);
  const confirm = () => confirmTags(settings, noted, late);
  const fail = (error: unknown): void => {
    reportFailure(settings, error, { operation: 'read', key: storageKey });
    plan.land({ kind: 'uncacheable', isLasting: false });
  };
  const finish = (place: Place, counters: Counters | undefined): void => {
    // Purged. Of those who wait, one renders it again for all.
    if (counters === undefined) plan.land({ kind: 'failed' });
    else settle(plan, draft, counters, () => write(plan, draft, confirm, place, counters));
  };
  try {
    // In this order: the tags show a removal from before this line, and the place shows a later one.
    const settled = after(openPlace(settings, draft), (place) =>
      after(confirm(), (counters) => finish(place, counters)),
    );
    if (!(settled instanceof Promise)) return;
    flight?.confirmWithin(settings.readTimeoutMs);
    finishBeforeClose(settings, settled.catch(fail));
  } catch (error) {
    fail(error);
  }
}

function settle(
  { settings, flights, storageKey, land }: CommitPlan,
  { inputs, values, response }: Draft,
  counters: Counters | undefined,
  store: () => MaybePromise<void>,
): void {
  const now = Date.now();
  // A response that is validated each time does not save the waiting requests their own render.
  const isShared = response.isFresh(now);
  if (isShared) flights?.markStored(storageKey);
  else flights?.markUncacheable(storageKey, now);
  const written = store();
  if (written instanceof Promise) finishBeforeClose(settings, written);
  land(
    !isShared
      ? { kind: 'uncacheable', isLasting: true }
      : {
          kind: 'stored',
          variant: variantOf(inputs, values),
          inputs,
          response,
          counters,
          written: written instanceof Promise ? written : undefined,
        },
  );
}

/** Never rejects: a cache that fails is reported, and the visitor has the page already. */
function write(
  { settings, flight }: CommitPlan,
  draft: Draft,
  confirm: () => MaybePromise<Counters | undefined>,
  place: Place,
  counters: Counters,
): MaybePromise<void> {
  return after(flight?.mayStore() ?? true, (mayStore) =>
    mayStore ? storeResponse(settings, draft, confirm, { place, counters }) : undefined,
  );
}
