import { createHash } from 'node:crypto';
import {
  BaseCache,
  type CacheParams,
  collect,
  contentOf,
  type Entries,
  type FrozenPlace,
  type StoreOptions,
  toPairs,
  type VersionOption,
} from '../../cache/base-cache';
import { getOptions, keysOf, versionOptions } from '../../cache/call-arguments';
import type { FrozenValue } from '../../cache/frozen-value';
import type { Fill, FillToken } from '../../cache/get-or-set';
import type { Version } from '../../cache/keys';
import type { MaybePromise } from '../../cache/maybe-promise';
import type { SoftPurges } from '../../cache/soft-purges';
import type { PurgeMode, Tags } from '../../cache/tags';
import type { Timeout } from '../../cache/timeouts';
import type { ValueCodec } from '../../cache/value-codec';
import { CacheUnavailableError } from '../../errors';
import { LocMemCache } from '../loc-mem';
import { type Announced, Coherence, type Follower } from './coherence';
import { KeptPurges, type Removal } from './kept-purges';
import { LocalTier } from './local-tier';
import { monotonicClock } from './monotonic-clock';
import { resolveTieredOptions, type TieredOptions } from './options';
import { LEDGER_VERSION, registerIn } from './register';
import { TieredTagStore } from './tag-store';
import { TieredTags } from './tags';

/** How long something is kept at most of which the shared cache does not tell when it expires. */
const UNKNOWN_LEFT_MS = 1000;

/** Pause before purges that were kept are tried again. */
const REPLAY_PAUSE_MS = 250;

/** Purging waits for this, so it must not take as long as a page may. */
const LEDGER_DEADLINE_MS = 1000;

/** Names of entries and of counters, which changes tell apart. */
const ENTRY = 'e:';
const TAG = 't:';

/** A copy in the local tier: of a page or, as its bytes, of a value. */
interface Copy {
  frozen: FrozenValue | Uint8Array | undefined;
  readonly encoded: number | Buffer | undefined;
}

/**
 * A small local tier in the memory of each process, over a cache that they share. What was read once
 * is answered from memory, pages without an await, as long as it is certain that nobody has changed
 * it: see {@link Coherence}. Everything is written to the shared cache, under the keys that it has
 * without the local tier.
 *
 * Whoever changes something (`set`, `delete`, `clear`, `touch`, `incr`, purges) waits until no process
 * uses what was there before; `add`, which replaces nothing, does not.
 */
export class TieredCache extends BaseCache {
  override readonly isShared: boolean;
  override readonly keepsTags: boolean;
  /** @internal */
  override readonly softPurges: SoftPurges;
  /** The cache that all processes share. */
  readonly shared: BaseCache;
  readonly #options: Required<TieredOptions>;
  readonly #codec: ValueCodec;
  readonly #tier: LocalTier<Copy>;
  readonly #tagStore: TieredTagStore;
  readonly #tieredTags: TieredTags;
  readonly #ownsShared: boolean;
  #coherence: Coherence | undefined;
  #kept = new KeptPurges();
  #replayTimer: NodeJS.Timeout | undefined;

  /**
   * @param shared - Whose keys, timeout and entries are the ones of this cache, too.
   * @param ownsShared - Whether `close()` is to close it as well.
   * @throws TypeError if it is none to share, or an option makes no sense.
   */
  constructor(shared: BaseCache, params: CacheParams = {}, ownsShared = false) {
    if (!(shared instanceof BaseCache)) {
      throw new TypeError(
        `The location is ${JSON.stringify(shared) ?? String(shared)}. Give the alias of the shared cache, its settings, or the cache itself.`,
      );
    }
    if (shared instanceof LocMemCache || shared instanceof TieredCache) {
      throw new TypeError(
        `A local tier over a ${shared.constructor.name} makes nothing faster. Give the alias of a cache that processes share.`,
      );
    }
    const { options = {}, ...others } = params;
    const [other] = Object.keys(others);
    if (other !== undefined) {
      throw new TypeError(
        `"${other}" is that of the shared cache, so that all who use it agree. Set it there.`,
      );
    }
    const { keyPrefix, version, keyFunction, defaultTimeout } = shared;
    super('', { keyPrefix, version, keyFunction, timeout: defaultTimeout });
    this.shared = shared;
    this.isShared = shared.isShared;
    this.keepsTags = shared.keepsTags;
    this.softPurges = shared.softPurges;
    this.#ownsShared = ownsShared;
    this.#options = resolveTieredOptions(options as TieredOptions);
    this.#codec = shared.valueCodec;
    const { maxBytes, maxAge } = this.#options;
    this.#tier = new LocalTier(maxBytes, maxAge * 1000, monotonicClock.now);
    const host = {
      isTrusted: () => this.#isTrusted,
      isFollowing: () => this.#follow().isFollowing,
      now: monotonicClock.now,
      announce: (names: readonly string[]) => this.#announce(names.map((name) => TAG + name)),
    };
    this.#tagStore = new TieredTagStore(shared.tags.store, host, maxAge * 1000);
    this.#tieredTags = new TieredTags(this.#tagStore, (...purge) =>
      this.#finishing(this.#purge(...purge)),
    );
  }

  override get<T = unknown>(key: string): Promise<T | undefined>;
  override get<T = unknown, D = T>(
    key: string,
    fallback: D,
    options?: VersionOption,
  ): Promise<T | D>;
  override async get(key: string, fallback?: unknown, options?: VersionOption): Promise<unknown> {
    const stored = await this.getStored(key, getOptions(key, fallback, options));
    return stored === undefined ? fallback : contentOf(stored);
  }

  /** @internal */
  protected override async getStored(key: string, options: VersionOption): Promise<unknown> {
    const finalKey = this.makeKey(key, options.version);
    const stored = await this.#storedHere(finalKey);
    return stored === undefined ? this.#fetch(key, finalKey, options) : stored;
  }

  override async hasKey(key: string, options: VersionOption = {}): Promise<boolean> {
    versionOptions('hasKey', options);
    const isHere = (await this.#storedHere(this.makeKey(key, options.version))) !== undefined;
    // Not by a replica, as get() is not: it may lag behind.
    return isHere || ((await this.shared.hasKeyLatest(key, options)) && this.#kept.isEmpty);
  }

  /** Answered from the local tier as far as it goes, which keeps nothing of what it lacks. */
  override async getMany<T = unknown>(
    keys: Iterable<string>,
    options: VersionOption = {},
  ): Promise<Record<string, T>> {
    versionOptions('getMany', options);
    const unique = keysOf('getMany', keys);
    const values = new Map<string, unknown>();
    const here = unique.map(async (key) => {
      const stored = await this.#storedHere(this.makeKey(key, options.version));
      if (stored !== undefined) values.set(key, contentOf(stored));
    });
    await Promise.all(here);
    const missing = unique.filter((key) => !values.has(key));
    if (missing.length > 0) {
      const found = await this.shared.getManyLatest(missing, options);
      if (!this.#kept.isEmpty) return collect<T>([], []);
      for (const [key, value] of Object.entries(found)) values.set(key, value);
    }
    return collect(
      unique,
      unique.map((key) => values.get(key) as T | undefined),
    );
  }

  override set(
    key: string,
    value: unknown,
    timeout?: Timeout,
    options: StoreOptions = {},
  ): Promise<void> {
    return this.#change([key], options, () => this.shared.set(key, value, timeout, options));
  }

  override async setMany(
    entries: Entries,
    timeout?: Timeout,
    options: StoreOptions = {},
  ): Promise<string[]> {
    const pairs = toPairs(entries);
    const keys = pairs.map(([key]) => key);
    return this.#change(keys, options, () => this.shared.setMany(pairs, timeout, options));
  }

  override async add(
    key: string,
    value: unknown,
    timeout?: Timeout,
    options: StoreOptions = {},
  ): Promise<boolean> {
    const isAdded = await this.shared.add(key, value, timeout, options);
    // What was evicted there may be here yet.
    if (isAdded) this.#tier.drop([this.makeKey(key, options.version)]);
    return isAdded;
  }

  override touch(key: string, timeout?: Timeout, options: VersionOption = {}): Promise<boolean> {
    return this.#change([key], options, () => this.shared.touch(key, timeout, options));
  }

  override delete(key: string, options: VersionOption = {}): Promise<boolean> {
    return this.#remove([key], options, () => this.shared.delete(key, options));
  }

  override async deleteMany(keys: Iterable<string>, options: VersionOption = {}): Promise<void> {
    const unique = keysOf('deleteMany', keys);
    return this.#remove(unique, options, () => this.shared.deleteMany(unique, options));
  }

  override incr(key: string, delta = 1, options: VersionOption = {}): Promise<number> {
    return this.#change([key], options, () => this.shared.incr(key, delta, options));
  }

  override clear(): Promise<void> {
    this.#lose();
    return this.#finishing(this.#clear(() => this.shared.clear()));
  }

  /** @internal */
  override clearInSteps(onRemoved: (count: number) => void): Promise<void> {
    this.#lose();
    return this.#finishing(this.#clear(() => this.shared.clearInSteps(onRemoved)));
  }

  async #clear(clearShared: () => Promise<void>): Promise<void> {
    try {
      await this.#clearNow(clearShared);
    } catch (error) {
      // What is refused today is refused tomorrow.
      if (!(error instanceof CacheUnavailableError)) throw error;
      this.#kept.addAll();
      throw this.#keptFor(error);
    }
  }

  /** Has `close()` wait for a change: others are still to be told of it. */
  #finishing<T>(change: Promise<T>): Promise<T> {
    this.finishBeforeClose(change);
    return change;
  }

  /**
   * Lets go of what the local tier holds and of its connection, once all changes are done, and closes
   * a cache of its own.
   */
  override async close(): Promise<void> {
    await this.finishAll();
    clearTimeout(this.#replayTimer);
    this.#replayTimer = undefined;
    await this.#leave();
    if (this.#ownsShared) await this.shared.close();
  }

  override validateKey(finalKey: string): void {
    this.shared.validateKey(finalKey);
  }

  /** @internal */
  override get tags(): Tags {
    return this.#tieredTags;
  }

  /** @internal */
  override get purgeWaitMs(): number {
    return this.#follow().untoldWaitMs;
  }

  /** @internal */
  override get countsAtomically(): boolean {
    return this.shared.countsAtomically;
  }

  /** @internal */
  override readCounters(keys: readonly string[]): Promise<Record<string, unknown>> {
    return this.shared.readCounters(keys);
  }

  /** @internal */
  override orMiss<T>(
    operation: string,
    key: string,
    work: () => MaybePromise<T>,
    miss: T,
  ): MaybePromise<T> {
    return this.shared.orMiss(operation, key, work, miss);
  }

  /** @internal */
  override beginFill(key: string, options: VersionOption = {}): MaybePromise<Fill> {
    // What others have made meanwhile is in the shared cache.
    this.#tier.drop([this.makeKey(key, options.version)]);
    return this.shared.beginFill(key, options);
  }

  /** @internal */
  override async endFill(
    key: string,
    token: FillToken,
    stored: unknown,
    timeout: Timeout,
    options: VersionOption = {},
  ): Promise<boolean> {
    const isStored = await this.shared.endFill(key, token, stored, timeout, options);
    this.#tier.drop([this.makeKey(key, options.version)]);
    return isStored;
  }

  /** @internal */
  override frozenAtHand(key: string): FrozenValue | Uint8Array | undefined {
    return this.#find(this.makeKey(key))?.frozen;
  }

  /** @internal */
  override getFrozen(key: string, deadlineMs: number, isLatest = false) {
    const atHand = isLatest ? undefined : this.frozenAtHand(key);
    return atHand ?? this.#fetchFrozen(key, deadlineMs);
  }

  /** @internal */
  override adoptFrozen(key: string, bytes: Uint8Array, value: FrozenValue): void {
    const copy = this.#tier.find(this.makeKey(key));
    if (copy?.frozen === bytes) copy.frozen = value;
  }

  /** @internal */
  override async setFrozen(
    key: string,
    value: FrozenValue,
    timeout: Timeout,
    deadlineMs: number,
    token?: FillToken,
  ): Promise<boolean> {
    const finalKey = this.makeKey(key);
    const isFollowing = this.#follow().isFollowing;
    this.#tier.drop([finalKey]);
    const fetch = this.#tier.begin(finalKey);
    let isStored = false;
    try {
      isStored = await this.shared.setFrozen(key, value, timeout, deadlineMs, token);
    } catch (error) {
      this.#tier.drop([finalKey]);
      throw error;
    } finally {
      this.#tier.end(fetch);
    }
    const { isSpoilt } = fetch;
    // What others have begun to read may be older.
    this.#tier.drop([finalKey]);
    if (!isStored || isSpoilt || !isFollowing) return isStored;
    const seconds = this.resolveTimeout(timeout, key);
    const copy = { frozen: value, encoded: undefined };
    this.#tier.keep(
      this.#tier.begin(finalKey),
      copy,
      value.byteLength,
      seconds === null ? null : seconds * 1000,
    );
    return true;
  }

  /** @internal */
  override openFrozen(
    key: string,
    deadlineMs: number,
    wantsFound: boolean,
  ): MaybePromise<FrozenPlace> {
    return this.shared.openFrozen(key, deadlineMs, wantsFound);
  }

  /** @internal */
  override async deleteFrozen(key: string, deadlineMs: number): Promise<boolean> {
    const finalKey = this.makeKey(key);
    this.#tier.drop([finalKey]);
    const wasThere = await this.shared.deleteFrozen(key, deadlineMs);
    await this.#tell([ENTRY + finalKey]);
    return wasThere;
  }

  /** @internal */
  override async deleteFrozenMany(keys: readonly string[], deadlineMs: number): Promise<void> {
    const finalKeys = keys.map((key) => this.makeKey(key));
    this.#tier.drop(finalKeys);
    await this.shared.deleteFrozenMany(keys, deadlineMs);
    await this.#tell(finalKeys.map((finalKey) => ENTRY + finalKey));
  }

  /** @internal */
  override acquireLease(
    key: string,
    token: string,
    seconds: number,
    deadlineMs: number,
    version?: Version,
  ): Promise<boolean> {
    return this.shared.acquireLease(key, token, seconds, deadlineMs, version);
  }

  /** @internal */
  override readLease(key: string, deadlineMs: number, version?: Version): Promise<unknown> {
    return this.shared.readLease(key, deadlineMs, version);
  }

  /** @internal */
  override extendLease(
    key: string,
    token: string,
    seconds: number,
    deadlineMs: number,
    successor?: string,
    version?: Version,
  ): Promise<boolean> {
    return this.shared.extendLease(key, token, seconds, deadlineMs, successor, version);
  }

  /** @internal */
  override get swapsLeases(): boolean {
    return this.shared.swapsLeases;
  }

  get #isTrusted(): boolean {
    return this.#follow().isTrusted && this.#kept.isEmpty;
  }

  /** What is in the local tier, if it may be used. */
  #find(finalKey: string): Copy | undefined {
    return this.#isTrusted ? this.#tier.find(finalKey) : undefined;
  }

  /** A copy of what is in the local tier that the caller may change, if it was not purged. */
  #storedHere(finalKey: string): MaybePromise<unknown> {
    const encoded = this.#find(finalKey)?.encoded;
    if (encoded === undefined) return undefined;
    const own = typeof encoded === 'number' ? encoded : Buffer.from(encoded);
    return this.opened(finalKey, this.#codec.decode(own));
  }

  async #fetch(key: string, finalKey: string, options: VersionOption): Promise<unknown> {
    const { isFollowing } = this.#follow();
    const fetch = this.#tier.begin(finalKey);
    try {
      // A replica may lag behind, and what it says would be believed for long.
      const { stored, leftMs = UNKNOWN_LEFT_MS } = await this.shared.getLatest(key, options);
      if (!this.#kept.isEmpty) return undefined;
      if (stored !== undefined && isFollowing) {
        const encoded = this.#codec.encode(stored, key);
        const bytes = typeof encoded === 'number' ? 8 : encoded.byteLength;
        this.#tier.keep(fetch, { frozen: undefined, encoded }, bytes, leftMs);
      }
      return stored;
    } finally {
      this.#tier.end(fetch);
    }
  }

  async #fetchFrozen(
    key: string,
    deadlineMs: number,
  ): Promise<FrozenValue | Uint8Array | undefined> {
    const { isFollowing } = this.#follow();
    const finalKey = this.makeKey(key);
    const fetch = this.#tier.begin(finalKey);
    try {
      const found = await this.shared.getFrozen(key, deadlineMs, true);
      if (found === undefined || !this.#kept.isEmpty) return undefined;
      if (!isFollowing) return found;
      // A part of what came over the wire would keep all of it alive.
      const frozen = found instanceof Uint8Array ? bytesOf(found) : found;
      // Pages tell by themselves when they expire.
      this.#tier.keep(fetch, { frozen, encoded: undefined }, frozen.byteLength, null);
      return frozen;
    } finally {
      this.#tier.end(fetch);
    }
  }

  /** Changes entries of the shared cache, and waits until nobody uses what they were. */
  #change<T>(
    keys: readonly string[],
    options: VersionOption,
    work: () => Promise<T>,
    removal: (finalKey: string) => Removal = () => async () => {},
  ): Promise<T> {
    return this.#finishing(this.#changeNow(keys, options, work, removal));
  }

  async #changeNow<T>(
    keys: readonly string[],
    { version }: VersionOption,
    work: () => Promise<T>,
    removal: (finalKey: string) => Removal,
  ): Promise<T> {
    const finalKeys = keys.map((key) => this.makeKey(key, version));
    this.#tier.drop(finalKeys);
    try {
      const result = await work();
      await this.#announceEntries(finalKeys, removal);
      return result;
    } finally {
      this.#tier.drop(finalKeys);
    }
  }

  /** {@link TieredCache.#change}, that is made up for if the shared cache cannot be reached. */
  async #remove<T>(
    keys: readonly string[],
    options: VersionOption,
    work: () => Promise<T>,
  ): Promise<T> {
    const byFinalKey = new Map(keys.map((key) => [this.makeKey(key, options.version), key]));
    const removal = (finalKey: string) => () =>
      this.shared.delete(byFinalKey.get(finalKey)!, options);
    try {
      return await this.#change(keys, options, work, removal);
    } catch (error) {
      if (!(error instanceof CacheUnavailableError)) throw error;
      this.#kept.addEntries([...byFinalKey.keys()], removal);
      throw this.#keptFor(error);
    }
  }

  async #announceEntries(
    finalKeys: readonly string[],
    removal: (finalKey: string) => Removal,
  ): Promise<void> {
    if (finalKeys.length === 0) return;
    try {
      await this.#announce(finalKeys.map((finalKey) => ENTRY + finalKey));
    } catch (error) {
      // Others do not know. And where errors are misses, what was to be removed may be there yet.
      this.#kept.addEntries(finalKeys, removal);
      this.#replayLater();
      if (!this.shared.hidesFailures) throw error;
    }
  }

  async #purge(names: readonly string[], mode: PurgeMode, isLate: boolean): Promise<void> {
    try {
      await this.#tieredTags.purgeNow(names, mode, isLate);
    } catch (error) {
      this.#kept.addTags(names, mode);
      throw this.#keptFor(error);
    }
  }

  async #clearNow(clearShared: () => Promise<void>): Promise<void> {
    await clearShared();
    const { isSeen } = await this.#follow().announce('all');
    await isSeen;
  }

  async #announce(names: readonly string[]): Promise<void> {
    const { isSeen } = await this.#follow().announce(names);
    await isSeen;
  }

  /** Tells others, and does not wait for them. */
  async #tell(names: readonly string[]): Promise<Announced> {
    return this.#follow().announce(names);
  }

  /** The error of a purge that was kept. */
  #keptFor(error: unknown): Error {
    this.#replayLater();
    const message = error instanceof Error ? error.message : String(error);
    const reason = error instanceof CacheUnavailableError ? error.reason : 'refused';
    return new CacheUnavailableError(
      `The shared cache was not purged yet: ${message} The purge is kept, and made up for as soon as it can be. Until then this process finds nothing in the cache.`,
      reason,
      { cause: error },
    );
  }

  #replayLater(): void {
    this.#replayTimer ??= setTimeout(() => void this.#replay(), REPLAY_PAUSE_MS).unref();
  }

  async #replay(): Promise<void> {
    try {
      await this.#kept.replay({
        clear: () => this.#clearNow(() => this.shared.clear()),
        purge: (names, mode) => this.#tieredTags.purgeNow(names, mode, true),
        announce: (finalKeys) => this.#announce(finalKeys.map((finalKey) => ENTRY + finalKey)),
      });
    } catch {
      // It was told already, to whoever purged.
    }
    const wasClosed = this.#replayTimer === undefined;
    this.#replayTimer = undefined;
    if (!this.#kept.isEmpty && !wasClosed) this.#replayLater();
  }

  /** Follows what others change, from the first use on. */
  #follow(): Coherence {
    if (this.#coherence !== undefined) return this.#coherence;
    const follower: Follower = {
      onChange: (names) => this.#onChange(names),
      onLoss: () => this.#lose(),
      onIdle: () => void this.#leave(),
    };
    const coherence = new Coherence({
      register: registerIn(this.shared, LEDGER_DEADLINE_MS),
      bus: this.shared.openMessages(),
      channel: this.#channel,
      clock: monotonicClock,
      trustMs: this.#options.trustMs,
      follower,
    });
    this.#coherence = coherence;
    coherence.join();
    return coherence;
  }

  /** The same for all who have the ledger in common, and for nobody else on the server. */
  get #channel(): string {
    const place = JSON.stringify([this.shared.messageScope, this.makeKey('', LEDGER_VERSION)]);
    return `cachewright_${createHash('sha1').update(place).digest('hex').slice(0, 20)}`;
  }

  /** Follows no more, until there is use for it. */
  async #leave(): Promise<void> {
    const coherence = this.#coherence;
    this.#coherence = undefined;
    this.#lose();
    await coherence?.close();
  }

  #onChange(names: readonly string[]): void {
    const tags: string[] = [];
    const entries: string[] = [];
    for (const name of names) {
      (name.startsWith(TAG) ? tags : entries).push(name.slice(TAG.length));
    }
    this.#tier.drop(entries);
    if (tags.length > 0) this.#tagStore.forget(tags);
  }

  #lose(): void {
    this.#tier.clear();
    this.#tagStore.forget(undefined);
  }
}

/** The same bytes in memory of their own. */
function bytesOf(bytes: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.byteLength);
  own.set(bytes);
  return own;
}
