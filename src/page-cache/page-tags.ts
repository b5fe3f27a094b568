import { LRUCache } from 'lru-cache';
import { withDeadline } from '../cache/deadline';
import { after, type MaybePromise } from '../cache/maybe-promise';
import { isOfRemoval, nameOfRemoval, namesOfPage, tagName } from '../cache/tag-names';
import type { Counters, Noted, Validity } from '../cache/tags';
import { CacheUnavailableError } from '../errors';
import type { Request } from '../headers/middleware';
import { readTogether } from './page-reads';
import type { PageRecord } from './page-record';
import { backendOf, type PageSettings, reportFailure } from './page-settings';
import type { PageKey } from './request-key';

/** Counters read together with a page, so that both take one round trip. */
export type CurrentCounters = ReadonlyMap<string, number | undefined>;

/** Tags that pages of a URL were found to have besides those that the URL tells. */
const remembered = new LRUCache<string, readonly string[]>({ max: 10_000 });

/**
 * Reads the counters of a page's tags, as far as they are known, while the page itself is read.
 * `undefined` on local memory, which need not.
 */
export function readCounters(
  settings: PageSettings,
  key: PageKey,
): MaybePromise<CurrentCounters> | undefined {
  const cache = backendOf(settings);
  const { tags } = cache;
  if (tags.sequence !== undefined) return undefined;
  const all = [...namesOfPage(key.url), ...(remembered.get(key.url) ?? [])];
  const names = tags.namesToRead(all);
  const { readTimeoutMs } = settings;
  return readTogether(cache, `tags ${readTimeoutMs} ${JSON.stringify(names)}`, () =>
    withinReadTimeout(settings, tags.read(names)),
  );
}

/** Whether a record that was found may still be used. */
export function validityOfRecord(
  settings: PageSettings,
  record: PageRecord,
  current: MaybePromise<CurrentCounters> | undefined,
): MaybePromise<Validity> {
  const { tags } = backendOf(settings);
  const { sequence } = tags;
  if (sequence !== undefined && record.validAt === sequence) return 'valid';
  return after(current ?? new Map(), (known): MaybePromise<Validity> => {
    if (sequence === undefined) rememberTags(record, known);
    return after(
      withinReadTimeout(settings, tags.checkRead(record.counters, known)),
      (validity) => {
        // What was read before `sequence` says nothing of it.
        const isChecked = validity === 'valid' && current === undefined;
        if (isChecked && sequence !== undefined) record.validAt = sequence;
        return validity;
      },
    );
  });
}

/** So that the next look-up reads all of them at once. */
function rememberTags({ url, counters }: PageRecord, known: CurrentCounters): void {
  const others = [...counters.keys()].filter((name) => !known.has(name));
  if (others.length > 0) remembered.set(url, others);
}

/** Whether what bears these counters was not purged until now. */
export function areCurrent(settings: PageSettings, counters: Counters): MaybePromise<boolean> {
  const validity = withinReadTimeout(settings, backendOf(settings).tags.check(counters));
  return after(validity, (found) => found === 'valid');
}

/**
 * Notes the counters of the tags known before the handlers run, and that of removals of the page by
 * its key.
 */
function noteTags(settings: PageSettings, key: PageKey, req: Request): MaybePromise<Noted> {
  const own = settings.tags?.(req).map(tagName) ?? [];
  const names = [...namesOfPage(key.url), nameOfRemoval(key.base)!, ...own];
  return withinReadTimeout(settings, backendOf(settings).tags.note(names));
}

/**
 * {@link noteTags} for a page that was looked up. `undefined` if the backend does not tell, which is
 * reported.
 */
export function noteKnownTags(
  settings: PageSettings,
  key: PageKey,
  req: Request,
  { isBlind, storageKey }: { readonly isBlind: boolean; readonly storageKey: string },
): MaybePromise<Noted | undefined> {
  if (isBlind) return undefined;
  const fail = (error: unknown): undefined => {
    reportFailure(settings, error, { operation: 'read', key: storageKey });
    return undefined;
  };
  try {
    const noted = noteTags(settings, key, req);
    return noted instanceof Promise ? noted.catch(fail) : noted;
  } catch (error) {
    return fail(error);
  }
}

/**
 * The counters of a page that has these tags, too; `undefined` if one was purged meanwhile, or the
 * page removed. See {@link borneOf}.
 */
export function confirmTags(
  settings: PageSettings,
  noted: Noted,
  late: readonly string[],
): MaybePromise<Counters | undefined> {
  return withinReadTimeout(settings, backendOf(settings).tags.confirm(noted, late));
}

/** What a page bears of the counters that were confirmed: who reads it does not ask for the rest. */
export function borneOf(counters: Counters): Counters {
  return new Map([...counters].filter(([name]) => !isOfRemoval(name)));
}

function withinReadTimeout<T>(
  { readTimeoutMs }: PageSettings,
  work: MaybePromise<T>,
): MaybePromise<T> {
  if (!(work instanceof Promise)) return work;
  return withDeadline(
    () => work,
    readTimeoutMs,
    () => new CacheUnavailableError(`The tags took longer than ${readTimeoutMs} ms.`, 'timeout'),
  );
}
