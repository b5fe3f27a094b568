import { LRUCache } from 'lru-cache';
import {
  type AtOnceOptions,
  BaseCache,
  type CacheParams,
  type CullingOptions,
  contentOf,
  type FrozenPlace,
  type StoreOptions,
  type VersionOption,
} from '../cache/base-cache';
import { getOptions, storeOptions, versionOptions } from '../cache/call-arguments';
import { Envelope, newHead } from '../cache/envelope';
import type { FrozenValue } from '../cache/frozen-value';
import { type Fill, type FillToken, tagged } from '../cache/get-or-set';
import { defaultKeyFunction, type Version } from '../cache/keys';
import { nameOfRemoval, tagNames } from '../cache/tag-names';
import { type Counters, type Noted, Tags, type Validity } from '../cache/tags';
import { expiryOf, isExpiredAtOnce, type Timeout } from '../cache/timeouts';
import { type SerializerOption, ValueCodec } from '../cache/value-codec';
import { LocalTagStore } from './local-tag-store';
import {
  Entry,
  type EntryTags,
  type Held,
  ownMemory,
  PackedFrozen,
  RecentEntries,
} from './recent-entries';

/** Options of local memory. */
export interface LocMemOptions extends CullingOptions {
  /**
   * Memory the entries may take together, in bytes, keys and a fixed overhead included. The least
   * recently used give way, a thousand of them at most in one write: a value for which that makes
   * no room is not stored, nor is one larger than the whole.
   *
   * @defaultValue 67 108 864 (64 MiB)
   */
  readonly maxBytes?: number;

  /** How values become bytes. @defaultValue 'msgpack' */
  readonly serializer?: SerializerOption;
}

/** Entries evicted at most in one write, so that a large store never stalls the process. */
const EVICTION_SLICE = 1000;

/** What an entry takes besides its key and value: roughly, the maps and objects around it. */
const ENTRY_OVERHEAD = 128;

/** What a tag of an entry takes besides its name. */
const TAG_OVERHEAD = 64;

/** How many final keys of pages are kept at most. */
const KNOWN_KEYS = 10_000;

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/** A value as it is held, and the counters of its tags. */
interface Frozen {
  readonly value: Held;
  readonly counters: Counters | undefined;
}

/** How often pages of a URL were removed by key. */
interface Removals {
  readonly count: number | undefined;
}

/** Entries of one location, which several aliases may share. */
class Store {
  entries = new RecentEntries();
  /** Evictions that a cull has decided on and later writes will carry out. */
  owed = 0;
  /** By final key, what is being made; removed by whatever changes the key. */
  readonly fills = new Map<string, object>();
  readonly #tags = new Map<string, LocalTagStore>();

  /** The counters of the aliases whose keys begin so. */
  tagsOf(namespace: string): LocalTagStore {
    let tags = this.#tags.get(namespace);
    if (tags === undefined) {
      tags = new LocalTagStore();
      this.#tags.set(namespace, tags);
    }
    return tags;
  }

  clear(): void {
    // To forget them one by one would take longer the more there are.
    this.entries = new RecentEntries();
    this.owed = 0;
    this.fills.clear();
    for (const tags of this.#tags.values()) tags.clear();
  }
}

const stores = new Map<string, Store>();

/**
 * Entries in the memory of this process: the default backend, and the fastest. Bounded by entries
 * and by bytes; nothing is shared with other processes, nor kept over a restart.
 *
 * Location: the name of a store. Aliases that give the same name share it.
 *
 * @see Django's `LocMemCache`
 */
export class LocMemCache extends BaseCache {
  /** @internal */
  override readonly keepsTags: boolean = true;
  readonly #store: Store;
  readonly #maxBytes: number;
  readonly #codec: ValueCodec;
  readonly #keepsPrimitives: boolean;
  readonly #hasOwnSerializer: boolean;
  /** Of the pages found last, by their keys. To make one anew takes longer than to find the page. */
  #finalKeys: LRUCache<string, string> | undefined;
  #hasWarnedOfSize = false;

  /** @throws TypeError if a setting makes no sense. */
  constructor(location: unknown = '', params: CacheParams = {}) {
    super(location, params);
    const { maxBytes = DEFAULT_MAX_BYTES, serializer } = (params.options ?? {}) as LocMemOptions;
    if (typeof maxBytes !== 'number' || !(maxBytes > 0)) {
      throw new TypeError(`options.maxBytes is ${JSON.stringify(maxBytes)}. Give bytes above 0.`);
    }
    this.#maxBytes = maxBytes;
    this.#codec = new ValueCodec(serializer);
    this.#keepsPrimitives = serializer === undefined || serializer === 'msgpack';
    this.#hasOwnSerializer = !this.#keepsPrimitives && serializer !== 'json';
    const name = String(location);
    let store = stores.get(name);
    if (store === undefined) {
      store = new Store();
      stores.set(name, store);
    }
    this.#store = store;
  }

  override get<T = unknown>(key: string): Promise<T | undefined>;
  override get<T = unknown, D = T>(
    key: string,
    fallback: D,
    options?: VersionOption,
  ): Promise<T | D>;
  override async get(key: string, fallback?: unknown, options?: VersionOption): Promise<unknown> {
    const { version } = getOptions(key, fallback, options);
    const entry = this.#use(this.makeAndValidateKey(key, version));
    return entry === undefined ? fallback : this.#thaw(entry.value!);
  }

  override async set(
    key: string,
    value: unknown,
    timeout?: Timeout,
    options?: StoreOptions,
  ): Promise<void> {
    const { version, tags } = storeOptions('set', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const frozen = this.#freezeWithTags(value, tags, key, 'set');
    this.#put(finalKey, frozen, this.resolveTimeout(timeout, key));
  }

  override async add(
    key: string,
    value: unknown,
    timeout?: Timeout,
    options?: StoreOptions,
  ): Promise<boolean> {
    const { version, tags } = storeOptions('add', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const frozen = this.#freezeWithTags(value, tags, key, 'add');
    const seconds = this.resolveTimeout(timeout, key);
    if (this.#live(finalKey) !== undefined) return false;
    this.#put(finalKey, frozen, seconds);
    return true;
  }

  override async touch(key: string, timeout?: Timeout, options?: VersionOption) {
    const { version } = versionOptions('touch', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const seconds = this.resolveTimeout(timeout, key);
    const entry = this.#live(finalKey);
    if (entry === undefined) return false;
    if (isExpiredAtOnce(seconds)) this.#remove(finalKey);
    else entry.expiresAt = expiryOf(seconds);
    return true;
  }

  override async delete(key: string, options?: VersionOption) {
    const { version } = versionOptions('delete', options);
    const finalKey = this.makeAndValidateKey(key, version);
    // In the memory of this process it is done at once.
    this.noteRemovals('delete', [key]);
    return this.#remove(finalKey);
  }

  override async clear() {
    this.#store.clear();
  }

  override async hasKey(key: string, options?: VersionOption) {
    const { version } = versionOptions('hasKey', options);
    return this.#live(this.makeAndValidateKey(key, version)) !== undefined;
  }

  /** Atomic within the process; keeps the entry's expiry. Takes fractions. */
  override async incr(key: string, delta = 1, options?: VersionOption) {
    const { version } = versionOptions('incr', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const entry = this.#use(finalKey);
    const value = entry === undefined ? undefined : this.#thawWithTags(entry);
    const sum = this.addTo(key, value, delta, delta < 0 ? 'decr' : 'incr');
    const frozen = { value: this.#freeze(sum, key), counters: undefined };
    const { expiresAt } = entry!;
    // Not #put(): the store does not grow, so that counting must not cull.
    this.#store.entries.put(entryOf(finalKey, frozen, expiresAt));
    return sum;
  }

  /** @internal */
  protected override makeTags(): Tags {
    return new Tags(this.#store.tagsOf(this.makeKey('')));
  }

  /** @internal */
  protected override async getStored(key: string, { version }: VersionOption): Promise<unknown> {
    const entry = this.#use(this.makeAndValidateKey(key, version));
    return entry === undefined ? undefined : this.#thawWithTags(entry);
  }

  /** @internal */
  override beginFill(key: string, { version }: VersionOption = {}): Fill {
    const finalKey = this.makeKey(key, version);
    const entry = this.#use(finalKey);
    if (entry !== undefined && !this.softPurges.has(finalKey)) {
      return { value: this.#thaw(entry.value!) };
    }
    const { fills } = this.#store;
    const shared = fills.get(finalKey);
    if (shared !== undefined) return { token: shared, isShared: true };
    const token = {};
    fills.set(finalKey, token);
    return { token };
  }

  /** @internal */
  override async endFill(
    key: string,
    token: FillToken,
    stored: unknown,
    timeout: Timeout,
    { version }: VersionOption = {},
  ): Promise<boolean> {
    return this.#endFill(key, token, stored, timeout, version);
  }

  /** @internal */
  override getOrSetAtOnce<T>(
    key: string,
    make: () => T,
    timeout: Timeout,
    { version, tags }: AtOnceOptions<T>,
  ): T {
    this.validateKey(this.makeKey(key, version));
    const { value, token, isShared } = this.beginFill(key, { version });
    if (value !== undefined) return value as T;
    let stored: unknown;
    try {
      // In the memory of this process counters are read at once.
      const noted = this.tags.note([]) as Noted;
      const made = make();
      const names = tagNames(tags(made), 'getOrSet()');
      const counters = this.tags.confirm(noted, names) as Counters | undefined;
      if (counters !== undefined) stored = tagged(made, counters);
      return made;
    } finally {
      if (stored !== undefined || !isShared) this.#endFill(key, token, stored, timeout, version);
    }
  }

  #endFill(
    key: string,
    token: FillToken,
    stored: unknown,
    timeout: Timeout,
    version: Version | undefined,
  ): boolean {
    const finalKey = this.makeKey(key, version);
    const { fills } = this.#store;
    if (fills.get(finalKey) !== token) return false;
    fills.delete(finalKey);
    if (stored !== undefined) {
      const frozen = this.#freezeWithTags(stored, undefined, key, 'getOrSet');
      this.#put(finalKey, frozen, this.resolveTimeout(timeout, key));
    }
    return true;
  }

  /** @internal */
  override getFrozen(key: string) {
    const known = this.#finalKeys?.peek(key);
    const finalKey = known ?? this.makeAndValidateKey(key);
    const held = this.#use(finalKey)?.value;
    if (typeof held !== 'object' || held === null) return undefined;
    // A key function of the site's own may not come to the same each time.
    if (known === undefined && this.keyFunction === defaultKeyFunction) {
      this.#finalKeys ??= new LRUCache({ max: KNOWN_KEYS });
      this.#finalKeys.set(key, finalKey);
    }
    if (held instanceof PackedFrozen) return Buffer.from(held.bytes);
    if (!(held instanceof ArrayBuffer)) return held;
    const value = this.#codec.decode(Buffer.from(held));
    return value instanceof Uint8Array ? value : undefined;
  }

  /** @internal */
  override adoptFrozen(key: string, bytes: Uint8Array, value: FrozenValue): void {
    this.#store.entries.thaw(this.makeAndValidateKey(key), bytes.buffer, value);
  }

  /** @internal */
  override setFrozen(
    key: string,
    value: FrozenValue,
    timeout: Timeout,
    _deadlineMs?: number,
    token?: FillToken,
  ): boolean {
    const finalKey = this.makeAndValidateKey(key);
    if (token !== undefined && (token as Removals).count !== this.#removalsOf(key)) return false;
    this.#put(finalKey, { value, counters: undefined }, this.resolveTimeout(timeout, key));
    return true;
  }

  /** @internal */
  override openFrozen(key: string, _deadlineMs: number, wantsFound: boolean): FrozenPlace {
    const token: Removals = { count: this.#removalsOf(key) };
    return { found: wantsFound ? this.getFrozen(key) : undefined, token };
  }

  /** The counter of removals of this page, which is read at once here. */
  #removalsOf(key: string): number | undefined {
    const name = nameOfRemoval(key);
    return name === undefined ? undefined : (this.tags.store.read([name]) as number[])[0];
  }

  /** @internal */
  override deleteFrozen(key: string): boolean {
    return this.#remove(this.makeAndValidateKey(key));
  }

  /** @internal */
  override async deleteFrozenMany(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.deleteFrozen(key);
  }

  /** The live entry, unmoved in the order of use; one of no more use is removed. */
  #live(finalKey: string): Entry | undefined {
    return this.#ifUsable(finalKey, this.#store.entries.peek(finalKey));
  }

  /** The live entry, now the most recently used. */
  #use(finalKey: string): Entry | undefined {
    return this.#ifUsable(finalKey, this.#store.entries.use(finalKey));
  }

  #ifUsable(finalKey: string, entry: Entry | undefined): Entry | undefined {
    if (entry === undefined) return undefined;
    const { tags } = entry;
    const isValid = tags === undefined || tags.validAt === this.tags.sequence;
    // It may have taken the place of one that was stale.
    if (isValid) this.softPurges.forget(finalKey);
    if (entry.expiresAt > Date.now() && (isValid || !this.#isPurged(finalKey, tags))) return entry;
    this.#store.entries.delete(finalKey);
    return undefined;
  }

  #isPurged(finalKey: string, tags: EntryTags): boolean {
    const { sequence } = this.tags;
    const { counters } = tags;
    // In the memory of this process counters are read at once.
    const found = this.tags.check(counters) as Validity;
    const validity = this.softPurges.judge(finalKey, counters, found);
    if (validity === 'valid') tags.validAt = sequence;
    return validity === 'purged';
  }

  #remove(finalKey: string): boolean {
    this.#store.fills.delete(finalKey);
    return this.#store.entries.delete(finalKey);
  }

  #put(finalKey: string, frozen: Frozen, seconds: number | null): void {
    const store = this.#store;
    store.fills.delete(finalKey);
    if (isExpiredAtOnce(seconds)) {
      store.entries.delete(finalKey);
      return;
    }
    const entry = entryOf(finalKey, frozen, expiryOf(seconds));
    const { size } = entry;
    if (size > this.#maxBytes) {
      store.entries.delete(finalKey);
      this.#warnOfSize(finalKey, size);
      return;
    }
    let evictions = this.#cull(store);
    const { entries } = store;
    // The old value takes no room from the new one. Used now, it is the last to be evicted.
    const given = entries.use(finalKey)?.size ?? 0;
    while (entries.bytes - given + size > this.#maxBytes) {
      if (evictions++ === EVICTION_SLICE) {
        entries.delete(finalKey);
        return;
      }
      entries.evict();
    }
    entries.put(entry);
  }

  /** Evicts what a cull due now, or an earlier one, still has to. Returns the number evicted. */
  #cull(store: Store): number {
    if (store.owed === 0 && store.entries.count >= this.maxEntries) {
      if (this.cullFrequency === 0) {
        // Not all of the store: to lose the counters of tags would purge what is stored next, too.
        store.entries = new RecentEntries();
        return 0;
      }
      store.owed = Math.floor(store.entries.count / this.cullFrequency);
    }
    const slice = Math.min(store.owed, EVICTION_SLICE);
    for (let i = 0; i < slice; i++) store.entries.evict();
    store.owed -= slice;
    return slice;
  }

  #freezeWithTags(
    value: unknown,
    tags: readonly string[] | undefined,
    key: string,
    operation: string,
  ): Frozen {
    if (value instanceof Envelope && value.content !== undefined) {
      const { content } = value;
      return { value: this.#freeze(content.value, key), counters: content.counters };
    }
    const held = this.#freeze(value, key);
    if (tags === undefined || tags.length === 0) return { value: held, counters: undefined };
    const { counters } = this.tags.note(tagNames(tags, `${operation}()`)) as Noted;
    return { value: held, counters };
  }

  /** A copy of the value, in an envelope if it has tags. */
  #thawWithTags({ value, tags }: Entry): unknown {
    const thawed = this.#thaw(value!);
    if (tags === undefined) return thawed;
    return new Envelope(newHead(), { value: thawed, counters: tags.counters });
  }

  #freeze(value: unknown, key: string): Held {
    if (this.#keepsPrimitives && isStorablePrimitive(value)) {
      return typeof value === 'string' ? detached(value) : value;
    }
    const encoded = this.#codec.encode(value, key);
    return typeof encoded === 'number' ? encoded : ownMemory(encoded);
  }

  /** A copy of the value that the caller may change. */
  #thaw(held: Held): unknown {
    if (typeof held !== 'object' || held === null) return held;
    if (held instanceof PackedFrozen) return Buffer.from(held.bytes.slice(0));
    if (!(held instanceof ArrayBuffer)) return Buffer.from(held.toBytes());
    // A serializer of the user's own may return, or write to, what it is given.
    if (this.#hasOwnSerializer) return contentOf(this.#codec.decode(Buffer.from(held.slice(0))));
    const value = this.#codec.decode(Buffer.from(held));
    // What a serializer made is new already; bytes alone are still the stored ones.
    if (!(value instanceof Uint8Array) || value.buffer !== held) return value;
    return Buffer.isBuffer(value) ? Buffer.from(value) : value.slice();
  }

  #warnOfSize(finalKey: string, size: number): void {
    if (this.#hasWarnedOfSize) return;
    this.#hasWarnedOfSize = true;
    process.emitWarning(
      `${JSON.stringify(finalKey)} takes ${size} bytes, over options.maxBytes (${this.#maxBytes}), and was not stored. Later ones go unsaid.`,
      { type: 'CacheSizeWarning', code: 'CACHEWRIGHT_SIZE' },
    );
  }
}

function isStorablePrimitive(value: unknown): value is string | number | boolean | null {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed();
    case 'number':
    case 'boolean':
      return true;
    default:
      return value === null;
  }
}

/**
 * The same characters in memory of their own: a part of a larger text keeps all of it alive. Joined,
 * for a slice of a copy would be an object more than the copy.
 */
function detached(text: string): string {
  return text.length < 2 ? text : [text.slice(0, 1), text.slice(1)].join('');
}

function entryOf(finalKey: string, { value, counters }: Frozen, expiresAt: number): Entry {
  let size = ENTRY_OVERHEAD + 2 * finalKey.length + byteLengthOf(value);
  let tags: EntryTags | undefined;
  if (counters !== undefined) {
    for (const name of counters.keys()) size += TAG_OVERHEAD + 2 * name.length;
    tags = { counters, validAt: undefined };
  }
  return new Entry(finalKey, value, size, expiresAt, tags);
}

function byteLengthOf(value: Held): number {
  if (typeof value === 'string') return 2 * value.length;
  if (typeof value !== 'object' || value === null) return 8;
  return value.byteLength;
}
