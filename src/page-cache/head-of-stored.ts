import { after } from '../cache/maybe-promise';
import type { HeaderValue } from '../http/header-value';
import type { FillStart, StaleGet } from './fill-start';
import { isSameRepresentation, updatedFields } from './freshen';
import type { Head } from './head-changes';
import { type HeadJudge, type PageRefusal, without } from './head-judge';
import { ageOrigin, judgeResponse } from './page-policy';
import { finishBeforeClose } from './page-settings';
import { removePages, storeResponse, unionOf } from './page-store';
import { confirmTags } from './page-tags';
import { fieldOf, StoredResponse } from './stored-response';
import { varyingNames } from './varying-names';

/** A HEAD tells whether the stored GET still holds. @see RFC 9111 §4.3.5 */
export function confirmStoredGet(
  { res, settings, mustNotStore, noted, values }: FillStart,
  { key, response, counters, inputs: known }: StaleGet,
  refusal: PageRefusal | undefined,
  judge: HeadJudge,
  { now, sent }: { readonly now: number; readonly sent: Head },
): void {
  if (res.statusCode !== 200) return;
  if (!isSameRepresentation(response, res)) {
    void removePages(settings, [key]);
    return;
  }
  if (refusal === 'identity' || mustNotStore) return;
  const fields = updatedFields(response, sent, res, now);
  const field = (name: string): HeaderValue => fieldOf(fields, name);
  if (String(field('cache-groups')) !== String(response.field('cache-groups'))) {
    // It has no counters of groups that are new to it.
    void removePages(settings, [key]);
    return;
  }
  const verdict = judgeResponse(response.status, field, settings, judge.facts());
  const { terms, patchSeconds } = verdict;
  if (terms === undefined || noted === undefined) return;
  const updated = new StoredResponse({
    ...response,
    ...terms,
    fields: without(fields, terms.withheld),
    storedAt: now,
    staleAt: now + terms.seconds * 1000,
    ageFrom: ageOrigin(field, patchSeconds !== undefined, now, terms),
  });
  const inputs = unionOf(known, varyingNames(field('vary'), settings));
  // Purged meanwhile or not, its tags will tell; that it was removed, only what was noted.
  const confirm = () =>
    after(confirmTags(settings, noted, []), (confirmed) => confirmed && counters);
  const stored = storeResponse(settings, { key, inputs, values, response: updated }, confirm);
  if (stored instanceof Promise) finishBeforeClose(settings, stored);
}
