import { LRUCache } from 'lru-cache';
import type { BaseCache, FrozenPlace } from '../cache/base-cache';
import { isPlaceholder } from '../cache/envelope';
import { after, type MaybePromise } from '../cache/maybe-promise';
import { namesOfPage } from '../cache/tag-names';
import type { Counters, Validity } from '../cache/tags';
import { hasValidator } from '../http/storability';
import { type InputValues, isStateInput, limitInputs, STATE_NAMES } from './inputs/input-values';
import { CONTAINERS, stateInput } from './inputs/request-state';
import { readFrozen } from './page-reads';
import { PageRecord } from './page-record';
import {
  backendOf,
  type PageCacheFailure,
  type PageSettings,
  reportFailure,
} from './page-settings';
import {
  areCurrent,
  borneOf,
  type CurrentCounters,
  readCounters,
  validityOfRecord,
} from './page-tags';
import { type Inputs, type PageKey, REWRITTEN_TARGET, variantKey, variantOf } from './request-key';
import type { StoredResponse } from './stored-response';

/** What the cache knows of a page, for the headers of one request. */
export interface PageLookup {
  /** The stored response, fresh or not. */
  readonly response: StoredResponse | undefined;
  /** Of the response's tags, as it bears them. */
  readonly counters: Counters | undefined;
  /** Names of the inputs of the URL; `undefined` if nothing is known of it. */
  readonly inputs: readonly string[] | undefined;
  /** Where a response to a request with these inputs is kept, as far as is known. */
  readonly storageKey: string;
  /** Whether the backend did not answer. */
  readonly isBlind: boolean;
}

/**
 * Looks up the response stored for this page and the inputs of this request. A page without inputs
 * takes one read, others take two. A backend that fails is a miss.
 *
 * @param isLatest - Whether to ask where it was written, as a replica may lag behind that.
 */
export function findResponse(
  settings: PageSettings,
  key: PageKey,
  values: InputValues,
  isLatest = false,
): MaybePromise<PageLookup> {
  const search = { settings, key, values, isLatest, counters: countersFor(settings, key) };
  const record = readRecord(settings, key.base, key.url, '', isLatest);
  return record instanceof Promise
    ? record.then((found) => follow(search, found))
    : follow(search, record);
}

/** What is looked for. */
interface Search {
  readonly settings: PageSettings;
  readonly key: PageKey;
  readonly values: InputValues;
  readonly isLatest: boolean;
  readonly counters: MaybePromise<CurrentCounters> | undefined;
}

/** Follows the record of the page to that of the variant. */
function follow(
  { settings, key, values, isLatest, counters }: Search,
  record: PageRecord | 'unread' | undefined,
): MaybePromise<PageLookup> {
  if (record === undefined || record === 'unread') return miss(key.base, undefined, record);
  const { inputs, generation } = record;
  const isUnkeyed = values.of(REWRITTEN_TARGET) !== undefined && !inputs.includes(REWRITTEN_TARGET);
  if (isUnkeyed) return miss(key.base, inputs);
  const variant = variantOf(inputs, values);
  const storageKey = variantKey(key, variant);
  if (variant === '') return judge(settings, record, storageKey, counters);
  const read = readRecord(settings, storageKey, key.url, variant, isLatest);
  return after(read, (found): MaybePromise<PageLookup> => {
    if (found === undefined || found === 'unread') {
      // With the URL, what was known of its inputs may have been purged.
      return judgeList(settings, record, miss(storageKey, inputs, found), counters);
    }
    if (found.generation !== generation) return miss(storageKey, inputs);
    return judge(settings, found, storageKey, counters);
  });
}

/** Begins to read the counters of the page's tags. */
function countersFor(
  settings: PageSettings,
  key: PageKey,
): MaybePromise<CurrentCounters> | undefined {
  try {
    const counters = readCounters(settings, key);
    // Most often the page is not there, and nobody asks.
    if (counters instanceof Promise) counters.catch(() => {});
    return counters;
  } catch {
    // An alias that is not configured: the look-up itself will tell.
    return undefined;
  }
}

/** What is left of a record that was found, once it is known whether it was purged. */
function judge(
  settings: PageSettings,
  record: PageRecord,
  storageKey: string,
  counters: MaybePromise<CurrentCounters> | undefined,
): MaybePromise<PageLookup> {
  if (record.response === undefined) {
    return judgeList(settings, record, miss(storageKey, record.inputs), counters);
  }
  try {
    const validity = validityOfRecord(settings, record, counters);
    if (!(validity instanceof Promise)) return left(record, storageKey, validity);
    return validity
      .then((found) => left(record, storageKey, found))
      .catch((error) => {
        failed(settings, error, 'read', storageKey);
        return miss(storageKey, record.inputs, 'unread');
      });
  } catch (error) {
    failed(settings, error, 'read', storageKey);
    return miss(storageKey, record.inputs, 'unread');
  }
}

/** A miss of a URL whose list of inputs is known, unless the URL was purged with all that was known of it. */
function judgeList(
  settings: PageSettings,
  list: PageRecord,
  lookup: PageLookup,
  counters: MaybePromise<CurrentCounters> | undefined,
): MaybePromise<PageLookup> {
  if (list.counters.size === 0) return lookup;
  try {
    const validity = validityOfRecord(settings, list, counters);
    const settle = (found: Validity) => (found === 'purged' ? unknownUrl(list) : lookup);
    return validity instanceof Promise ? validity.then(settle, () => lookup) : settle(validity);
  } catch {
    // The look-up of the variant has reported it.
    return lookup;
  }
}

/** A purge of a URL forgets its inputs, too. */
function unknownUrl({ key }: PageRecord): PageLookup {
  return miss(key, undefined);
}

/** What is left of a record, which has a response, with these tags. */
function left(record: PageRecord, storageKey: string, validity: Validity): PageLookup {
  const { inputs, counters } = record;
  if (validity === 'purged') {
    return record.variant === '' ? unknownUrl(record) : miss(storageKey, inputs);
  }
  const stored = record.response!;
  const response =
    validity === 'valid' ? stored : stored.afterSoftPurge(softPurgeOf(record, stored));
  return { response, counters, inputs, storageKey, isBlind: false };
}

/** When this process found out that a page was purged softly, by key, generation and instant. */
const softPurges = new LRUCache<string, number>({ max: 10_000 });

/** When it was found out that this page was purged softly. What is forgotten, is so anew. */
function softPurgeOf({ key, generation }: PageRecord, { storedAt }: StoredResponse): number {
  const page = `${key} ${generation} ${storedAt}`;
  const purgedAt = softPurges.get(page) ?? Date.now();
  softPurges.set(page, purgedAt);
  return purgedAt;
}

function miss(
  storageKey: string,
  inputs: readonly string[] | undefined,
  found?: 'unread',
): PageLookup {
  const isBlind = found === 'unread';
  return { response: undefined, counters: undefined, inputs, storageKey, isBlind };
}

/** Where a response is to be stored, as far as the place tells if somebody else changes it. */
export type Place = FrozenPlace | 'unavailable';

/** A response that is to be stored. */
export interface Draft {
  readonly key: PageKey;
  /** All inputs that are known of the URL, sorted. */
  readonly inputs: readonly string[];
  /** Of the request that it answered. */
  readonly values: InputValues;
  readonly response: StoredResponse;
}

/**
 * Opens the place of a response that is about to be stored. Only after that is it to be confirmed that
 * nobody has purged it: whoever removes it later changes the place. Never rejects.
 */
export function openPlace(
  settings: PageSettings,
  { key, inputs, values }: Omit<Draft, 'response'>,
): MaybePromise<Place> {
  const storageKey = variantKey(key, variantOf(inputs, values));
  return openAt(settings, storageKey, false);
}

function openAt(
  settings: PageSettings,
  storageKey: string,
  wantsFound: boolean,
): MaybePromise<Place> {
  const fail = (error: unknown): Place => {
    failed(settings, error, 'write', storageKey);
    return 'unavailable';
  };
  try {
    const cache = backendOf(settings);
    const place = cache.openFrozen(storageKey, settings.writeTimeoutMs, wantsFound);
    return place instanceof Promise ? place.catch(fail) : place;
  } catch (error) {
    return fail(error);
  }
}

/** Times that others change the place of a response as it is stored. */
const STORING_ATTEMPTS = 3;

/**
 * Stores a response for the inputs of the request that it answered, and the list of inputs where the
 * next request looks first. The URL keeps the union of all lists (PAGE-59). Never rejects: what fails
 * is reported.
 *
 * @param opened - Its place, and what was confirmed after that was opened; opened here if omitted.
 * @param confirm - The counters of its tags; `undefined` if it was purged or removed meanwhile.
 */
export function storeResponse(
  settings: PageSettings,
  first: Draft,
  confirm: () => MaybePromise<Counters | undefined>,
  opened?: { readonly place: Place; readonly counters: Counters },
): MaybePromise<void> {
  const { base } = first.key;
  let draft = first;
  const fail = (error: unknown) => failed(settings, error, 'read', base);
  const attempt = (left: number, next?: typeof opened): MaybePromise<void> =>
    after(next?.place ?? openPlace(settings, draft), (place) => {
      if (place === 'unavailable') return;
      return after(next?.counters ?? confirm(), (counters) => {
        if (counters === undefined) return;
        const stored = storeInTurn(settings, draft, borneOf(counters), place, confirm);
        return after(stored, (outcome) => {
          if (outcome === true || left === 1) return;
          // Others have found more inputs of the URL, so that the response has another place.
          if (outcome !== false) draft = { ...draft, inputs: outcome };
          return attempt(left - 1);
        });
      });
    });
  const work = (): MaybePromise<void> => {
    try {
      const done = attempt(STORING_ATTEMPTS, opened);
      return done instanceof Promise ? done.catch(fail) : done;
    } catch (error) {
      fail(error);
    }
  };
  const turns = turnsIn(settings);
  if (turns.has(base)) return inTurn(turns, [base], async () => work());
  const done = work();
  return done instanceof Promise ? inTurn(turns, [base], () => done) : done;
}

/** What was begun last for each page of a cache, by its base key. */
type Turns = Map<string, Promise<void>>;

const turnsOfBackends = new WeakMap<BaseCache, Turns>();

function turnsIn(settings: PageSettings): Turns {
  try {
    const backend = backendOf(settings);
    const known = turnsOfBackends.get(backend) ?? new Map();
    turnsOfBackends.set(backend, known);
    return known;
  } catch {
    // There is no such backend: nothing comes of what is done there, and that is reported.
    return new Map();
  }
}

/**
 * Does what changes a page after all that was begun before: two variants would each begin a list
 * of their own, and a page being written would come back after it was removed.
 */
function inTurn(turns: Turns, bases: readonly string[], work: () => Promise<void>): Promise<void> {
  const turn = Promise.all(new Set(bases.map((base) => turns.get(base)))).then(work);
  for (const base of bases) turns.set(base, turn);
  return turn.finally(() => {
    for (const base of bases) if (turns.get(base) === turn) turns.delete(base);
  });
}

/**
 * What came of storing: `true`; `false` if somebody has changed the place, so that nothing was stored; or
 * the inputs of the URL, if they are more than was thought.
 */
type Stored = boolean | readonly string[];

function storeInTurn(
  settings: PageSettings,
  draft: Draft,
  counters: Counters,
  place: FrozenPlace,
  confirm: () => MaybePromise<Counters | undefined>,
): MaybePromise<Stored> {
  const { key, inputs, values, response } = draft;
  const variant = variantOf(inputs, values);
  if (variant !== '') return storeVariant(settings, draft, variant, counters, place, confirm);
  // Beside a list it must leave the variants their way in.
  const list = inputs.length === 0 ? undefined : knownList(settings, key);
  return after(list, (known): MaybePromise<Stored> => {
    const union = unionOf(known?.inputs, inputs);
    if (variantOf(union, values) !== '') return union;
    const { generation = newGeneration() } = known ?? {};
    const until = Math.max(expiryOf(settings, response), known?.expiresAt ?? 0);
    const { base, url } = key;
    const record = new PageRecord(base, url, '', union, response, until, generation, counters);
    return writeRecord(settings, record, place);
  });
}

/** The inputs of both lists, sorted; the known list itself if nothing is new. */
export function unionOf(
  known: readonly string[] | undefined,
  inputs: readonly string[],
): readonly string[] {
  if (known === undefined) return inputs;
  if (inputs.every((input) => known.includes(input))) return known;
  return limitInputs(new Set([...known, ...inputs]));
}

async function storeVariant(
  settings: PageSettings,
  { key, inputs, values, response }: Draft,
  variant: string,
  counters: Counters,
  place: FrozenPlace,
  confirm: () => MaybePromise<Counters | undefined>,
): Promise<Stored> {
  const expiresAt = expiryOf(settings, response);
  const ofUrl = new Map([...counters].filter(([name]) => namesOfPage(key.url).includes(name)));
  const list = await keepInputs(settings, key, inputs, expiresAt, ofUrl);
  if (list.inputs !== inputs && variantOf(list.inputs, values) !== variant) return list.inputs;
  // Who has removed all variants with their list, before that was kept, has told of it by now; who
  // does so later takes the list away.
  if ((await confirm()) === undefined) return true;
  const storageKey = variantKey(key, variant);
  await makeRoomForVariant(settings, key, storageKey, hasStatePresent(list.inputs, values));
  const record = new PageRecord(
    storageKey,
    key.url,
    variant,
    list.inputs,
    response,
    expiresAt,
    list.generation,
    counters,
  );
  return writeRecord(settings, record, place);
}

/** That there is a session, or that cookies were parsed, is so for all visitors of a site. */
const IMPERSONAL = new Set([
  STATE_NAMES,
  ...CONTAINERS.map((key) => stateInput({ scope: 'req', key })),
]);

/** Whether a visitor's state, and not its absence, has made a page. */
export function hasStatePresent(inputs: readonly string[], values: Inputs): boolean {
  return inputs.some(
    (input) => isStateInput(input) && !IMPERSONAL.has(input) && values.of(input) !== undefined,
  );
}

/** Whether state was there for each variant of a URL, by its key; the one used last comes last. */
type Variants = LRUCache<string, Map<string, boolean>>;

const variantsOfAliases = new Map<string, Variants>();
const variantsOfBackends = new WeakMap<BaseCache, Variants>();

/**
 * Variants that this process has stored in one cache. Those of other processes go uncounted, so
 * that together they may keep more.
 */
function variantsIn({ cache }: PageSettings): Variants {
  const known =
    typeof cache === 'string' ? variantsOfAliases.get(cache) : variantsOfBackends.get(cache);
  if (known !== undefined) return known;
  const variants: Variants = new LRUCache({ max: 1000 });
  if (typeof cache === 'string') variantsOfAliases.set(cache, variants);
  else variantsOfBackends.set(cache, variants);
  return variants;
}

/** Notes that a variant was used, so that others are evicted first. */
export function touchVariant(settings: PageSettings, { base }: PageKey, storageKey: string): void {
  const known = variantsIn(settings).get(base);
  const hasState = known?.get(storageKey);
  if (hasState === undefined) return;
  known!.delete(storageKey);
  known!.set(storageKey, hasState);
}

/**
 * Removes the variants of a page that were not used for longest where a new one would be too many. A
 * variant with a visitor's state never displaces one without (DESIGN 2.1).
 */
async function makeRoomForVariant(
  settings: PageSettings,
  { base }: PageKey,
  storageKey: string,
  hasState: boolean,
): Promise<void> {
  const variants = variantsIn(settings);
  const known = variants.get(base) ?? new Map<string, boolean>();
  known.delete(storageKey);
  known.set(storageKey, hasState);
  variants.set(base, known);
  while (known.size > settings.maxVariants) {
    const keys = [...known.keys()];
    const oldest = keys.find((key) => known.get(key) === true) ?? keys[0]!;
    known.delete(oldest);
    await removeKey(settings, oldest);
  }
}

/** The inputs that are known of a URL, and the generation of its variants. */
interface InputList {
  readonly inputs: readonly string[];
  readonly generation: number;
}

/**
 * Makes sure that these inputs are in the list of the URL, and that it lives at least until `expiresAt`.
 *
 * @param counters - Of the URL: whoever purges it purges the list.
 */
export async function keepInputs(
  settings: PageSettings,
  key: PageKey,
  inputs: readonly string[],
  expiresAt: number,
  counters: Counters = new Map(),
): Promise<InputList> {
  for (let attempt = 1; ; attempt += 1) {
    const place = await openAt(settings, key.base, true);
    const found = place === 'unavailable' ? undefined : place.found;
    const known = await currentList(settings, checkRecord(settings, found, key.base, key.url, ''));
    const union = unionOf(known?.inputs, inputs);
    const generation = known?.generation ?? newGeneration();
    if (known !== undefined && union === known.inputs && known.expiresAt >= expiresAt) {
      return { inputs: union, generation };
    }
    // The response kept beside the list answers requests that have none of the inputs.
    const record = new PageRecord(
      key.base,
      key.url,
      '',
      union,
      known?.response,
      Math.max(expiresAt, known?.expiresAt ?? 0),
      generation,
      known?.counters ?? counters,
    );
    // Who has changed it may have removed the response, or begun another list.
    const isDone = place === 'unavailable' || (await writeRecord(settings, record, place));
    if (isDone || attempt === STORING_ATTEMPTS) return { inputs: union, generation };
  }
}

/** A list that was found, unless it was purged with its URL. */
async function currentList(
  settings: PageSettings,
  list: PageRecord | undefined,
): Promise<PageRecord | undefined> {
  if (list === undefined || list.counters.size === 0) return list;
  try {
    return (await areCurrent(settings, list.counters)) ? list : undefined;
  } catch {
    return list;
  }
}

/** Turns in which pages will be removed. */
const waitingRemovals = new WeakSet<Promise<void>>();

/**
 * Removes all that is stored for these pages, variants included, in one go. What is about to be
 * removed is not removed once more: however many ask for it, the backend is asked no faster than it
 * answers.
 */
export async function removePages(settings: PageSettings, keys: readonly PageKey[]): Promise<void> {
  const turns = turnsIn(settings);
  const removals = new Set<Promise<void>>();
  const bases: string[] = [];
  for (const { base } of keys) {
    const last = turns.get(base);
    if (last !== undefined && waitingRemovals.has(last)) removals.add(last);
    else bases.push(base);
  }
  if (bases.length > 0) {
    const done = inTurn(turns, bases, () => {
      waitingRemovals.delete(turn);
      // The variants stay behind, but nothing leads to them any more.
      return removeKeys(settings, bases);
    });
    const turn = turns.get(bases[0]!)!;
    waitingRemovals.add(turn);
    removals.add(done);
  }
  await Promise.all(removals);
}

async function removeKey(settings: PageSettings, key: string): Promise<void> {
  try {
    await backendOf(settings).deleteFrozen(key, settings.writeTimeoutMs);
  } catch (error) {
    failed(settings, error, 'write', key);
  }
}

async function removeKeys(settings: PageSettings, keys: readonly string[]): Promise<void> {
  try {
    await backendOf(settings).deleteFrozenMany(keys, settings.writeTimeoutMs);
  } catch (error) {
    failed(settings, error, 'write', keys[0]!);
  }
}

/**
 * The record that keeps the inputs of the URL. To take it from a replica that does not have it yet
 * would make the variants of others unreachable.
 */
function knownList(settings: PageSettings, key: PageKey): MaybePromise<PageRecord | undefined> {
  const read = readRecord(settings, key.base, key.url, '', true);
  return after(read, (known): MaybePromise<PageRecord | undefined> => {
    if (!(known instanceof PageRecord)) return undefined;
    return known.counters.size === 0 ? known : currentList(settings, known);
  });
}

function newGeneration(): number {
  return Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
}

/** Until when a response is of use: fresh, stale on terms, or to be validated. */
function expiryOf({ keepStale, patchHeaders }: PageSettings, response: StoredResponse): number {
  // A client may take it stale (`max-stale`), and so may one whose origin cannot be reached.
  const isOfUseStale = !patchHeaders || hasValidator(response.field);
  const staleSeconds = Math.max(
    response.staleWhileRevalidate,
    response.staleIfError,
    isOfUseStale ? keepStale : 0,
  );
  return response.staleAt + staleSeconds * 1000;
}

/**
 * The record under `key`, if it is that of this page: digests collide, stores are tampered with.
 * `'unread'` if the backend failed.
 */
function readRecord(
  settings: PageSettings,
  key: string,
  url: string,
  variant: string,
  isLatest = false,
): MaybePromise<PageRecord | 'unread' | undefined> {
  try {
    const found = readFrozen(backendOf(settings), key, settings.readTimeoutMs, isLatest);
    if (!(found instanceof Promise)) return checkRecord(settings, found, key, url, variant);
    return found
      .then((late) => checkRecord(settings, late, key, url, variant))
      .catch((error) => {
        failed(settings, error, 'read', key);
        return 'unread' as const;
      });
  } catch (error) {
    failed(settings, error, 'read', key);
    return 'unread';
  }
}

/** What was found under `key`, if it is the record of this page. */
function checkRecord(
  settings: PageSettings,
  found: unknown,
  key: string,
  url: string,
  variant: string,
): PageRecord | undefined {
  if (found === undefined) return undefined;
  const isRecord = found instanceof PageRecord;
  // Somebody is about to store one there.
  if (!isRecord && isPlaceholder(found as Uint8Array)) return undefined;
  const record = isRecord ? found : PageRecord.from(found as Uint8Array);
  const isOwn = record?.key === key && record.url === url && record.variant === variant;
  if (isOwn) {
    if (found !== record) backendOf(settings).adoptFrozen(key, found as Uint8Array, record);
    return record;
  }
  const fault = record === undefined ? 'is not a whole page' : `is that of ${record.url}`;
  failed(settings, new Error(`The entry ${fault}.`), 'read', key);
  return undefined;
}

/** @returns `false` if somebody has changed the place, so that nothing was stored */
function writeRecord(
  settings: PageSettings,
  record: PageRecord,
  { token }: FrozenPlace,
): MaybePromise<boolean> {
  const fail = (error: unknown) => {
    failed(settings, error, 'write', record.key);
    return true;
  };
  try {
    const cache: BaseCache = backendOf(settings);
    // Servers count in whole seconds; the record's own instant decides within the last one.
    const seconds = Math.ceil((record.expiresAt - Date.now()) / 1000);
    if (seconds <= 0) return true;
    const done = cache.setFrozen(record.key, record, seconds, settings.writeTimeoutMs, token);
    return done instanceof Promise ? done.catch(fail) : done;
  } catch (error) {
    return fail(error);
  }
}

function failed(
  settings: PageSettings,
  error: unknown,
  operation: PageCacheFailure['operation'],
  key: string,
): void {
  reportFailure(settings, error, { operation, key });
}
