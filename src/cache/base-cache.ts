import { describe } from '../arguments/describe';
import {
  CacheKeyNotFoundError,
  CacheKeyWarning,
  CacheMethodNotImplementedError,
  CacheUnavailableError,
  CacheValueError,
} from '../errors';
import { checkCallOptions, keysOf, storeOptions, versionOptions } from './call-arguments';
import { emitWarningAtCaller } from './caller';
import { withDeadline } from './deadline';
import { Envelope } from './envelope';
import type { FrozenValue } from './frozen-value';
import { type Fill, type FillToken, GetOrSet, tagged } from './get-or-set';
import { importByPath } from './import-path';
import { defaultKeyFunction, type KeyFunction, keyFaults, type Version } from './keys';
import { after, type MaybePromise } from './maybe-promise';
import type { MessageBus } from './message-bus';
import { SharedTagStore } from './shared-tag-store';
import { SoftPurges } from './soft-purges';
import { nameOfPrefix, nameOfRemoval, nameOfUrl, PAGE_KEY_STEM, tagNames } from './tag-names';
import { type PurgeMode, Tags, type Validity } from './tags';
import { checkTimeout, type Timeout } from './timeouts';
import { ValueCodec } from './value-codec';

/** Chooses another version of a key than the backend's own. */
export interface VersionOption {
  /** @defaultValue the alias's `version` */
  readonly version?: Version;
}

/** How an entry is stored. */
export interface StoreOptions extends VersionOption {
  /**
   * Tags by which the entry can be purged: `cache.invalidateTags(['product:42'])`. They count from
   * here on: a purge after the value was read, but before it is handed over, is not seen.
   * `getOrSet` knows its tags before that.
   */
  readonly tags?: readonly string[];
}

/** How what `getOrSet` makes is stored. */
export interface GetOrSetOptions<T> extends VersionOption {
  /**
   * Tags by which the entry can be purged; no purge since the function was called is missed. A
   * function gets what was made, and tells its tags.
   */
  readonly tags?: readonly string[] | ((value: T) => readonly string[]);
  /**
   * Whether a value that was purged softly will not do, because what is made of it is stored, too.
   *
   * @internal
   */
  readonly mustBeCurrent?: boolean;
}

/** How what is made at once is stored. */
export interface AtOnceOptions<T> {
  readonly version: Version | undefined;
  /** The tags of what was made. */
  readonly tags: (value: T) => readonly string[];
}

/** How entries are purged. */
export interface PurgeOptions {
  /**
   * `'hard'`: nobody gets them any more. `'soft'`: they are stale, and may be had while they are
   * made anew, for a minute at most.
   *
   * @defaultValue 'hard'
   */
  readonly mode?: PurgeMode;
}

/** Settings of one alias, whichever backend serves it. */
export interface CommonCacheSettings {
  /**
   * How long an entry lives when the caller does not say, in seconds.
   * `null`: until evicted. `0`: expired at once, which turns the alias off.
   *
   * @defaultValue 300
   */
  readonly timeout?: number | string | null;

  /** Set before every key, so that several sites can share one store. @defaultValue '' */
  readonly keyPrefix?: string;

  /** Default version of every key. @defaultValue 1 */
  readonly version?: Version;

  /**
   * Builds final keys: a function, or the path of one (`./keys.js#makeKey`).
   *
   * @defaultValue `<keyPrefix>:<version>:<key>`
   */
  readonly keyFunction?: KeyFunction | string;
}

/** Options of the backends that cull on their own: local memory, file, database. */
export interface CullingOptions {
  /** Entries held before culling starts. @defaultValue 300 */
  readonly maxEntries?: number | string;

  /**
   * A cull removes one entry in this many. `0`: a cull removes all.
   *
   * @defaultValue 3
   */
  readonly cullFrequency?: number | string;
}

/** What a backend's constructor is given besides the location. */
export interface CacheParams extends CommonCacheSettings {
  /** Options of the backend itself. */
  readonly options?: object;
}

/** Counters as they were read, by their names. */
export type CounterValues = ReadonlyMap<string, number | undefined>;

/** What is under a key in whose place something frozen is about to be stored. */
export interface FrozenPlace {
  /** `undefined` if there is nothing, or it was not asked for. */
  readonly found?: FrozenValue | Uint8Array;
  /** Tells the place from what others make of it; `undefined`: nothing shows if they do. */
  readonly token?: FillToken;
}

/** For how long a place is kept free between {@link BaseCache.openFrozen} and what is stored there. */
export const PLACE_SECONDS = 600;

/** First bytes by which something frozen is told from all else: they have a checksum of the rest. */
export const PLACE_BYTES = 256;

/** What a cache has under a key, see {@link BaseCache.getLatest}. */
export interface LatestValue {
  /** The value, in its {@link Envelope} if it has tags; `undefined` if there is none. */
  readonly stored: unknown;
  /** How long the entry lives yet; `null`: for ever; `undefined`: not known. */
  readonly leftMs: number | null | undefined;
}

/** Kinds of page keys of which a cache warns at most. */
const MAX_WARNED_PAGES = 20;

/** What `setMany` takes: an object, or pairs such as a Map gives. */
export type Entries = Readonly<Record<string, unknown>> | Iterable<readonly [string, unknown]>;

/**
 * What all backends share. A backend of your own extends it and brings `add`, `get`, `set`,
 * `touch`, `delete` and `clear`; the rest is derived, and may be overridden where the store can
 * do better.
 *
 * @see Django's `BaseCache`
 */
export abstract class BaseCache {
  /** Seconds an entry lives when the caller does not say; `null`: no expiry. */
  readonly defaultTimeout: number | null;
  readonly keyPrefix: string;
  readonly version: Version;
  readonly keyFunction: KeyFunction;
  /** Entries held before culling starts, on backends that cull. */
  readonly maxEntries: number;
  readonly cullFrequency: number;
  /** Whether other processes see its entries, so that one may do for all what is slow. */
  readonly isShared: boolean = false;
  /** Whether what is stored with tags goes as they are purged. @internal */
  readonly keepsTags: boolean = false;
  /** @internal */
  readonly softPurges = new SoftPurges();
  readonly #getOrSet = new GetOrSet(this);
  /** What is still being done after an answer was given. */
  readonly #afterwork = new Set<Promise<unknown>>();
  /** Page keys, without their digests, of which a warning was given. */
  readonly #warnedPages = new Set<string>();
  #tags: Tags | undefined;

  /**
   * @param _location - Where the store is; each backend has its own idea of it.
   * @throws TypeError if a setting makes no sense.
   */
  constructor(_location: unknown = '', params: CacheParams = {}) {
    const { timeout = 300, keyPrefix = '', version = 1, keyFunction = defaultKeyFunction } = params;
    const { maxEntries = 300, cullFrequency = 3 } = (params.options ?? {}) as CullingOptions;
    this.defaultTimeout = timeout === null ? null : toNumber(timeout, 'timeout');
    this.keyPrefix = checkKeyPrefix(keyPrefix);
    this.version = checkVersion(version, 'version');
    this.keyFunction = resolveKeyFunction(keyFunction);
    this.maxEntries = toNumber(maxEntries, 'options.maxEntries');
    this.cullFrequency = toNumber(cullFrequency, 'options.cullFrequency');
    if (this.cullFrequency < 0) {
      throw new TypeError(
        `options.cullFrequency is ${cullFrequency}. Give 0 to cull all, or a number above.`,
      );
    }
  }

  /**
   * The stored value, or `fallback` if there is none.
   *
   * @param fallback - Returned on a miss, not stored. @defaultValue undefined
   */
  get<T = unknown>(key: string): Promise<T | undefined>;
  get<T = unknown, D = T>(key: string, fallback: D, options?: VersionOption): Promise<T | D>;
  get(_key: string, _fallback?: unknown, _options?: VersionOption): Promise<unknown> {
    return this.#notImplemented('get');
  }

  /**
   * Stores `value`, whatever was there.
   *
   * @param timeout - Seconds. `undefined`: the alias's; `null`: no expiry; `0` or less: expired
   *   at once, so that nothing is left under this key.
   * @throws {@link CacheValueError} If the value cannot be stored, `undefined` included.
   */
  set(_key: string, _value: unknown, _timeout?: Timeout, _options?: StoreOptions): Promise<void> {
    return this.#notImplemented('set');
  }

  /**
   * Stores `value` only if no live entry has this key.
   *
   * @param timeout - As in {@link BaseCache.set}.
   * @returns `true` if this value was accepted, `false` if a live entry kept its place.
   * @throws {@link CacheValueError} If the value cannot be stored.
   */
  add(
    _key: string,
    _value: unknown,
    _timeout?: Timeout,
    _options?: StoreOptions,
  ): Promise<boolean> {
    return this.#notImplemented('add');
  }

  /**
   * Gives a live entry a new timeout, counted from now.
   *
   * @param timeout - As in {@link BaseCache.set}.
   * @returns `false` if there is no live entry.
   */
  touch(_key: string, _timeout?: Timeout, _options?: VersionOption): Promise<boolean> {
    return this.#notImplemented('touch');
  }

  /** Removes an entry. @returns whether there was one */
  delete(_key: string, _options?: VersionOption): Promise<boolean> {
    return this.#notImplemented('delete');
  }

  /** Empties the whole store, entries of other prefixes and versions included. */
  clear(): Promise<void> {
    return this.#notImplemented('clear');
  }

  /**
   * {@link BaseCache.clear} where nobody waits for the end: a store that takes long is emptied in steps,
   * each of which has a deadline of its own. What is written meanwhile may stay.
   *
   * @param onRemoved - Told how many entries went in each step, by stores that know.
   * @internal
   */
  clearInSteps(_onRemoved: (count: number) => void): Promise<void> {
    return this.clear();
  }

  /** Whether a live entry has this key; one that holds `null` counts. */
  async hasKey(key: string, options?: VersionOption): Promise<boolean> {
    const { version } = versionOptions('hasKey', options);
    return (await this.get(key, undefined, { version })) !== undefined;
  }

  /**
   * The stored value; on a miss, stores and returns `fallback`, or what it returns if it is a
   * function. Concurrent misses of one key in this process call the function once; if it throws,
   * all of them get the error and nothing is stored.
   *
   * What is made while the key is deleted, stored anew, or one of the tags purged, is returned to who
   * asked before, but not stored: the function may have read what has changed since.
   *
   * A function that returns `undefined` has nothing to store: the caller gets `undefined`. After a
   * soft purge callers get the value of old, for a minute at most, while it is made anew.
   *
   * @param timeout - As in {@link BaseCache.set}. `0`: nothing is stored.
   * @throws TypeError if `fallback` is omitted, or the backend is a class that knows no tags.
   * @see Django's `get_or_set`, which has no single flight
   * @example
   * const product = await cache.getOrSet(`product:${id}`, () => loadProduct(id), 600, {
   *   tags: [`product:${id}`],
   * });
   */
  async getOrSet<T>(
    key: string,
    fallback: T | (() => T | Promise<T>),
    timeout?: Timeout,
    options: GetOrSetOptions<T> = {},
  ): Promise<T> {
    checkCallOptions('getOrSet', options, ['version', 'tags', 'mustBeCurrent']);
    const { version, tags, mustBeCurrent } = options;
    const call = `getOrSet(${JSON.stringify(key)})`;
    if (fallback === undefined) {
      throw new TypeError(`${call} got no default. Pass a value, or a function that makes it.`);
    }
    if (timeout !== undefined) checkTimeout(timeout, call);
    if (tags !== undefined && !this.keepsTags) {
      throw new TypeError(
        `${call} got tags, but entries of ${this.constructor.name} have none. Leave them out.`,
      );
    }
    const make = typeof fallback === 'function' ? (fallback as () => unknown) : () => fallback;
    const finalKey = this.makeKey(key, version);
    const recipe = { key, finalKey, make, timeout, version, tags, mustBeCurrent };
    return this.#getOrSet.run(recipe) as Promise<T>;
  }

  /**
   * {@link BaseCache.getOrSet} for what is made at once, where that takes no I/O. It shares nothing
   * with those who make the same value at the time, nor shows what was purged softly.
   *
   * @returns `undefined` if it would take I/O: nothing was made.
   * @internal
   */
  getOrSetAtOnce<T>(
    _key: string,
    _make: () => T,
    _timeout: Timeout,
    _options: AtOnceOptions<T>,
  ): T | undefined {
    return undefined;
  }

  /** The entries that exist, by the caller's keys. Keys that have none are left out. */
  async getMany<T = unknown>(
    keys: Iterable<string>,
    options?: VersionOption,
  ): Promise<Record<string, T>> {
    const { version } = versionOptions('getMany', options);
    const unique = keysOf('getMany', keys);
    const values = await Promise.all(
      unique.map((key) => this.get<T>(key, undefined as T, { version })),
    );
    return collect(unique, values);
  }

  /**
   * Stores every entry, with one timeout for all.
   *
   * @returns the keys that could not be stored, on backends that can tell; else `[]`.
   */
  async setMany(entries: Entries, timeout?: Timeout, options?: StoreOptions): Promise<string[]> {
    const { version, tags } = storeOptions('setMany', options);
    for (const [key, value] of toPairs(entries)) {
      await this.set(key, value, timeout, { version, tags });
    }
    return [];
  }

  /** Removes these entries. */
  async deleteMany(keys: Iterable<string>, options?: VersionOption): Promise<void> {
    const { version } = versionOptions('deleteMany', options);
    await Promise.all(keysOf('deleteMany', keys).map((key) => this.delete(key, { version })));
  }

  /**
   * Adds `delta` to a stored number. Atomic only where the backend says so.
   *
   * @returns the new number
   * @throws {@link CacheKeyNotFoundError} If there is no live entry; none is created.
   * @throws {@link CacheValueError} If the entry is not a number.
   */
  async incr(key: string, delta = 1, options?: VersionOption): Promise<number> {
    const { version } = versionOptions('incr', options);
    const value = await this.get(key, undefined, { version });
    const sum = this.addTo(key, value, delta, delta < 0 ? 'decr' : 'incr');
    await this.set(key, sum, undefined, { version });
    return sum;
  }

  /** Subtracts `delta` from a stored number; see {@link BaseCache.incr}. */
  decr(key: string, delta = 1, options?: VersionOption): Promise<number> {
    return this.incr(key, -delta, options);
  }

  /**
   * Moves an entry to a later version. Not atomic, and the entry gets the default timeout.
   *
   * @returns the new version
   * @throws {@link CacheKeyNotFoundError} If there is no entry at the old version.
   */
  async incrVersion(key: string, delta = 1, options?: VersionOption): Promise<number> {
    const { version } = versionOptions('incrVersion', options);
    const from = version ?? this.version;
    if (typeof from !== 'number') {
      throw new TypeError(
        `incrVersion(${JSON.stringify(key)}) needs a number to count from, but the version is ${JSON.stringify(from)}.`,
      );
    }
    const value = await this.getStored(key, { version: from });
    if (value === undefined) {
      throw new CacheKeyNotFoundError(key, delta < 0 ? 'decrVersion' : 'incrVersion');
    }
    const to = from + delta;
    await this.set(key, value, undefined, { version: to });
    if (to !== from) await this.delete(key, { version: from });
    return to;
  }

  /** Moves an entry to an earlier version; see {@link BaseCache.incrVersion}. */
  decrVersion(key: string, delta = 1, options?: VersionOption): Promise<number> {
    return this.incrVersion(key, -delta, options);
  }

  /**
   * Purges all entries that have one of these tags: those stored with `{ tags }`, and pages that were
   * given them by `tags` of the page cache or by `res.cacheTags()`. Once it is fulfilled nobody finds them any more, in whichever
   * process; what is being made at the time of older data is not found later either.
   *
   * @throws TypeError if `tags` is no list, or one of them not a string, or empty; what the backend
   *   throws: nothing is purged for certain then.
   */
  async invalidateTags(tags: Iterable<string>, options?: PurgeOptions): Promise<void> {
    const mode = modeOf('invalidateTags', options);
    await this.tags.purge(tagNames(tags, 'invalidateTags()'), mode, true);
  }

  /**
   * Purges the pages of a URL, all variants and languages; see {@link BaseCache.invalidateTags}.
   * Now and then another page goes with them.
   *
   * @param url - Absolute, as the visitor's browser shows it: `https://shop.example/list?page=2`.
   */
  async invalidateUrl(url: string | URL, options?: PurgeOptions): Promise<void> {
    const mode = modeOf('invalidateUrl', options);
    await this.tags.purge([nameOfUrl(textOf(url))], mode, false);
  }

  /**
   * Purges the pages whose path begins so, on all hosts; see {@link BaseCache.invalidateTags}.
   * Beyond eight directories paths are not told apart, and now and then others go with them.
   *
   * @param prefix - Whole directories of a path, ending in a slash: `/shop/`; or a URL of one. `/`:
   *   all pages.
   */
  async invalidatePrefix(prefix: string | URL, options?: PurgeOptions): Promise<void> {
    const mode = modeOf('invalidatePrefix', options);
    await this.tags.purge([nameOfPrefix(textOf(prefix))], mode, false);
  }

  /**
   * Lets go of connections, once pages are stored whose visitors were answered already. The next
   * operation opens them again.
   */
  async close(): Promise<void> {}

  /**
   * Has `close()` wait for `work`, which follows an answer and would else open connections anew.
   *
   * @internal
   */
  finishBeforeClose(work: Promise<unknown>): void {
    if (!this.isShared) return;
    this.#afterwork.add(work);
    const forget = () => this.#afterwork.delete(work);
    work.then(forget, forget);
  }

  /**
   * Milliseconds that each purge waits for other processes, where no message can reach them.
   *
   * @internal
   */
  get purgeWaitMs(): number {
    return 0;
  }

  /** Until all is done that {@link BaseCache.finishBeforeClose} was told of. */
  protected async finishAll(): Promise<void> {
    while (this.#afterwork.size > 0) await Promise.allSettled(this.#afterwork);
  }

  /** The key under which an entry is stored: prefix, version and `key` by the key function. */
  makeKey(key: string, version: Version = this.version): string {
    if (typeof key !== 'string') {
      throw new TypeError(`Cache keys are strings, but got ${String(key)}.`);
    }
    return this.keyFunction(key, this.keyPrefix, version);
  }

  /**
   * Warns of a final key that Memcached would refuse, so that a site can move there. Of pages it warns
   * once for each key prefix, as all of them share the fault.
   * Override it to accept such keys silently, or to throw.
   */
  validateKey(finalKey: string): void {
    const faults = keyFaults(finalKey);
    if (faults.length === 0 || this.#hasWarnedOfPage(finalKey)) return;
    for (const fault of faults) emitWarningAtCaller(new CacheKeyWarning(fault));
  }

  #hasWarnedOfPage(finalKey: string): boolean {
    if (!finalKey.includes(PAGE_KEY_STEM)) return false;
    // The digests of URL and headers tell pages of one prefix apart.
    const kind = finalKey.replace(/\.(?:GET|HEAD)(?=\.)|\b[0-9a-f]{32}\b/g, '');
    if (this.#warnedPages.has(kind) || this.#warnedPages.size >= MAX_WARNED_PAGES) return true;
    this.#warnedPages.add(kind);
    return false;
  }

  /** The final key, after {@link BaseCache.validateKey} has seen it. */
  protected makeAndValidateKey(key: string, version?: Version): string {
    const finalKey = this.makeKey(key, version);
    this.validateKey(finalKey);
    return finalKey;
  }

  /** The seconds that `timeout` stands for; `null`: no expiry. @throws TypeError if none */
  protected resolveTimeout(timeout: Timeout, key: string): number | null {
    if (timeout === undefined) return this.defaultTimeout;
    return checkTimeout(timeout, `Key ${JSON.stringify(key)}`);
  }

  /** The sum to store for `incr`. @throws as {@link BaseCache.incr} does */
  protected addTo(key: string, value: unknown, delta: number, method: string): number {
    if (value === undefined) throw new CacheKeyNotFoundError(key, method);
    if (typeof delta !== 'number' || !Number.isFinite(delta)) {
      throw new TypeError(`${method}(${JSON.stringify(key)}) got ${String(delta)}, not a number.`);
    }
    if (typeof value !== 'number') {
      const kind = value === null ? 'null' : kindOf(value);
      throw new CacheValueError(
        `${method}(${JSON.stringify(key)}): the entry holds ${kind}, not a number.`,
        key,
      );
    }
    return value + delta;
  }

  /**
   * A value stored by {@link BaseCache.setFrozen}, or the bytes of one. At once where the backend
   * needs no I/O. The caller must not change what it gets.
   *
   * @param deadlineMs - Within which the store must answer.
   * @param _isLatest - Whether a copy that lags behind what was written will not do.
   * @throws {@link CacheUnavailableError} If it does not.
   * @internal
   */
  getFrozen(
    key: string,
    deadlineMs: number,
    _isLatest?: boolean,
  ): MaybePromise<FrozenValue | Uint8Array | undefined> {
    return this.within(deadlineMs, this.get(key)).then((value) =>
      value instanceof Uint8Array ? value : undefined,
    );
  }

  /**
   * Stores a frozen value: as it is where the backend holds objects, else its bytes.
   *
   * @param _token - See {@link BaseCache.openFrozen}.
   * @returns `false`, with nothing stored, if the place was changed since, by whomever
   * @throws as {@link BaseCache.getFrozen} does
   * @internal
   */
  setFrozen(
    key: string,
    value: FrozenValue,
    timeout: Timeout,
    deadlineMs: number,
    _token?: FillToken,
  ): MaybePromise<boolean> {
    return this.within(
      deadlineMs,
      this.set(key, value.toBytes(), timeout).then(() => true),
    );
  }

  /**
   * Has a look at what is under a key, never behind what was written before, as something frozen is
   * about to be stored there. Where there is nothing, a placeholder is left, which is gone as soon as
   * the key is deleted.
   *
   * @param wantsFound - Whether to tell what is there.
   * @throws as {@link BaseCache.getFrozen} does
   * @internal
   */
  openFrozen(key: string, deadlineMs: number, wantsFound: boolean): MaybePromise<FrozenPlace> {
    if (!wantsFound) return {};
    return after(this.getFrozen(key, deadlineMs, true), (found) => ({ found }));
  }

  /**
   * To be waited for before these keys are deleted: so that of the pages among them none is stored
   * that is being made now. At once if there are none, so that what is asked for one key in one turn
   * keeps its order.
   *
   * @internal
   */
  protected noteRemovals(operation: string, keys: readonly string[]): MaybePromise<void> {
    const names = new Set<string>();
    for (const key of keys) {
      const name = nameOfRemoval(key);
      if (name !== undefined) names.add(name);
    }
    if (names.size === 0) return;
    const work = () => this.tags.noteRemovals([...names]);
    return this.orMiss(operation, keys[0]!, work, undefined);
  }

  /** Removes a frozen value. @throws as {@link BaseCache.getFrozen} does @internal */
  deleteFrozen(key: string, deadlineMs: number): MaybePromise<boolean> {
    return this.within(deadlineMs, this.delete(key));
  }

  /**
   * Removes frozen values, in as few commands as the store can do with.
   *
   * @throws as {@link BaseCache.getFrozen} does
   * @internal
   */
  deleteFrozenMany(keys: readonly string[], deadlineMs: number): Promise<void> {
    return this.within(deadlineMs, this.deleteMany(keys));
  }

  /**
   * Lets one process of several have `key` to itself for a while.
   *
   * @param token - Unlike that of anybody else.
   * @param seconds - After which others may have it, if it is not released before.
   * @returns whether it was free
   * @throws as {@link BaseCache.getFrozen} does
   * @internal
   */
  acquireLease(
    key: string,
    token: string,
    seconds: number,
    deadlineMs: number,
    version?: Version,
  ): Promise<boolean> {
    // Stores may cut what is beyond whole seconds.
    return this.within(deadlineMs, this.add(key, token, Math.ceil(seconds), { version }));
  }

  /**
   * Notes that a value is about to be made, before anything is read for it.
   *
   * @internal
   */
  beginFill(_key: string, _options?: VersionOption): MaybePromise<Fill> {
    return {};
  }

  /**
   * Stores what was made, unless the key was changed since the fill began, by whomever.
   *
   * @param token - See {@link BaseCache.beginFill}.
   * @param stored - `undefined`: nothing was made.
   * @returns `false` if the key was changed
   * @internal
   */
  async endFill(
    key: string,
    _token: FillToken,
    stored: unknown,
    timeout: Timeout,
    options?: VersionOption,
  ): Promise<boolean> {
    if (stored !== undefined) await this.add(key, stored, timeout, options);
    return true;
  }

  /**
   * The stored value, in its {@link Envelope} if it has tags.
   *
   * @internal
   */
  protected getStored(key: string, options: VersionOption): Promise<unknown> {
    return this.get(key, undefined, options);
  }

  /** What to store: `value`, and with it the counters of its tags as they stand. @internal */
  protected withTags(
    value: unknown,
    tags: readonly string[] | undefined,
    operation: string,
    _key: string,
  ): MaybePromise<unknown> {
    if (tags === undefined) return value;
    const noted = this.tags.note(tagNames(tags, `${operation}()`));
    return after(noted, ({ counters }) => tagged(value, counters));
  }

  /**
   * What was found, unless it stands for no value.
   *
   * @param expected - Counters that were read at the same time.
   * @internal
   */
  protected opened(
    finalKey: string,
    stored: unknown,
    expected?: MaybePromise<CounterValues>,
  ): MaybePromise<unknown> {
    if (!(stored instanceof Envelope)) return stored;
    if (stored.content?.counters.size === 0) return stored.content.value;
    return after(this.validityOf(finalKey, stored, expected), (validity) =>
      validity === 'purged' ? undefined : stored,
    );
  }

  /** @internal */
  protected validityOf(
    finalKey: string,
    { head, content }: Envelope,
    expected?: MaybePromise<CounterValues>,
  ): MaybePromise<Validity> {
    if (content === undefined) return 'purged';
    const { counters } = content;
    const { tags } = this;
    if (counters.size === 0) return 'valid';
    const current = expected ?? tags.read(tags.namesToRead([...counters.keys()]));
    return after(current, (values) =>
      after(tags.checkRead(counters, values), (validity) =>
        this.softPurges.judge(finalKey, head.toString('latin1'), validity),
      ),
    );
  }

  /** What is known as a fill begins that has found this under its key. @internal */
  protected async fillOver(finalKey: string, found: unknown): Promise<Fill> {
    if (!(found instanceof Envelope)) return { value: found };
    const validity = await this.validityOf(finalKey, found);
    if (validity === 'valid') return { value: found.content!.value };
    return { token: found.head, isShared: found.content === undefined };
  }

  /**
   * What `work` comes to; `miss` if it fails, where failures are misses.
   *
   * @internal
   */
  orMiss<T>(
    _operation: string,
    _key: string,
    work: () => MaybePromise<T>,
    _miss: T,
  ): MaybePromise<T> {
    return work();
  }

  /** The tags of its entries. @internal */
  get tags(): Tags {
    this.#tags ??= this.makeTags();
    return this.#tags;
  }

  /** @internal */
  protected makeTags(): Tags {
    return new Tags(new SharedTagStore(this));
  }

  /** Whether `incr` is atomic among all who share the store. @internal */
  get countsAtomically(): boolean {
    return this.isShared;
  }

  /**
   * Like `getMany`, and never behind what was written before.
   *
   * @internal
   */
  readCounters(keys: readonly string[]): Promise<Record<string, unknown>> {
    return this.getMany(keys);
  }

  /**
   * What `get` finds, and never behind what was written before.
   *
   * @internal
   */
  async getLatest(key: string, options: VersionOption): Promise<LatestValue> {
    return { stored: await this.getStored(key, options), leftMs: undefined };
  }

  /**
   * Like `hasKey`, and never behind what was written before.
   *
   * @internal
   */
  hasKeyLatest(key: string, options: VersionOption): Promise<boolean> {
    return this.hasKey(key, options);
  }

  /**
   * Like `getMany`, and never behind what was written before.
   *
   * @internal
   */
  getManyLatest(keys: readonly string[], options: VersionOption): Promise<Record<string, unknown>> {
    return this.getMany(keys, options);
  }

  /**
   * Whether {@link BaseCache.extendLease} looks and writes in one, whoever else writes.
   *
   * @internal
   */
  get swapsLeases(): boolean {
    return false;
  }

  /** How its values become bytes. @internal */
  get valueCodec(): ValueCodec {
    return new ValueCodec();
  }

  /** Whether callers get a miss in place of a failure. @internal */
  get hidesFailures(): boolean {
    return false;
  }

  /**
   * What carries messages between the processes that use this store; `undefined` if nothing does.
   *
   * @internal
   */
  openMessages(): MessageBus | undefined {
    return undefined;
  }

  /**
   * Tells the store from others whose messages go the same way, as far as its keys do not.
   *
   * @internal
   */
  get messageScope(): string {
    return '';
  }

  /**
   * What {@link BaseCache.getFrozen} would find, of a store that processes share, where it is known
   * without asking.
   *
   * @internal
   */
  frozenAtHand(_key: string): FrozenValue | Uint8Array | undefined {
    return undefined;
  }

  /**
   * Told what was made of bytes that {@link BaseCache.getFrozen} returned, which may be kept in their
   * place.
   *
   * @internal
   */
  adoptFrozen(_key: string, _bytes: Uint8Array, _value: FrozenValue): void {}

  /** The token under which `key` is leased. @throws as {@link BaseCache.getFrozen} does @internal */
  readLease(key: string, deadlineMs: number, version?: Version): Promise<unknown> {
    return this.within(deadlineMs, this.get(key, undefined, { version }));
  }

  /**
   * Ends a lease, or makes it last from now on, if it is still the owner of `token` who has it.
   *
   * @param seconds - `0` ends it.
   * @param successor - The token under which it goes on, so that nobody gets it in between.
   * @returns whether it was
   * @throws as {@link BaseCache.getFrozen} does
   * @internal
   */
  extendLease(
    key: string,
    token: string,
    seconds: number,
    deadlineMs: number,
    successor: string = token,
    version?: Version,
  ): Promise<boolean> {
    const work = async () => {
      if ((await this.get(key, undefined, { version })) !== token) return false;
      if (seconds === 0) return this.delete(key, { version });
      const wholeSeconds = Math.ceil(seconds);
      if (successor === token) return this.touch(key, wholeSeconds);
      await this.set(key, successor, wholeSeconds);
      return true;
    };
    return this.within(deadlineMs, work());
  }

  /** What `work` comes to. @throws as {@link BaseCache.getFrozen} does @internal */
  protected within<T>(ms: number, work: Promise<T>): Promise<T> {
    return withDeadline(
      () => work,
      ms,
      () =>
        new CacheUnavailableError(`${this.constructor.name} took longer than ${ms} ms.`, 'timeout'),
    );
  }

  async #notImplemented(method: string): Promise<never> {
    throw new CacheMethodNotImplementedError(method, this.constructor.name);
  }
}

function kindOf(value: unknown): string {
  return value instanceof Envelope ? 'a value with tags' : `a ${typeof value}`;
}

function textOf(url: string | URL): string {
  return url instanceof URL ? url.href : url;
}

function modeOf(method: string, options: unknown): PurgeMode {
  if (options === 'hard' || options === 'soft') {
    throw new TypeError(
      `${method}() got ${describe(options)} for its options. Give an object: { mode: '${options}' }.`,
    );
  }
  if (options === undefined) return 'hard';
  checkCallOptions(method, options, ['mode']);
  const { mode = 'hard' } = options as PurgeOptions;
  return checkMode(mode);
}

function checkMode(mode: PurgeMode): PurgeMode {
  if (mode === 'hard' || mode === 'soft') return mode;
  throw new TypeError(`mode is ${JSON.stringify(mode)}. Give 'hard' or 'soft'.`);
}

/** The caller's value of what was stored, or found. */
export function contentOf(stored: unknown): unknown {
  return stored instanceof Envelope ? stored.content?.value : stored;
}

/** Pairs of what `setMany` was given. */
export function toPairs(entries: Entries): (readonly [string, unknown])[] {
  if (typeof entries !== 'object' || entries === null) {
    throw new TypeError(
      `setMany() got ${describe(entries)} for its entries. Give an object: { a: 1, b: 2 }.`,
    );
  }
  return Symbol.iterator in entries
    ? [...(entries as Iterable<readonly [string, unknown]>)]
    : Object.entries(entries);
}

/** What `getMany` returns. Without a prototype, so that no key can reach one. */
export function collect<T>(
  keys: readonly string[],
  values: readonly (T | undefined)[],
): Record<string, T> {
  const found = Object.create(null) as Record<string, T>;
  for (const [i, key] of keys.entries()) {
    const value = values[i];
    if (value !== undefined) found[key] = value;
  }
  return found;
}

function resolveKeyFunction(keyFunction: KeyFunction | string): KeyFunction {
  const resolved = typeof keyFunction === 'string' ? importByPath(keyFunction) : keyFunction;
  if (typeof resolved === 'function') return resolved as KeyFunction;
  throw new TypeError(
    `keyFunction is ${JSON.stringify(keyFunction)}. Give a function, or the path of one ('./keys.js#makeKey').`,
  );
}

function checkKeyPrefix(keyPrefix: unknown): string {
  if (typeof keyPrefix === 'string') return keyPrefix;
  throw new TypeError(`keyPrefix is ${describe(keyPrefix)}. Give a string.`);
}

/** @param what - How a message begins that names the argument or setting */
function checkVersion(version: unknown, what: string): Version {
  if (typeof version === 'string' || Number.isFinite(version)) return version as Version;
  throw new TypeError(`${what} is ${describe(version)}. Give a number or a string.`);
}

function toNumber(value: unknown, option: string): number {
  const isNumeric = typeof value === 'number' || (typeof value === 'string' && value.trim() !== '');
  const number = isNumeric ? Number(value) : Number.NaN;
  if (Number.isFinite(number)) return number;
  throw new TypeError(`${option} is ${describe(value)}. Give a number.`);
}
