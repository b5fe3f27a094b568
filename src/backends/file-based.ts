import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  BaseCache,
  type CacheParams,
  type CullingOptions,
  contentOf,
  type FrozenPlace,
  PLACE_BYTES,
  PLACE_SECONDS,
  type StoreOptions,
  type VersionOption,
} from '../cache/base-cache';
import { getOptions, storeOptions, versionOptions } from '../cache/call-arguments';
import { Envelope, isPlaceholder, newHead } from '../cache/envelope';
import type { FrozenValue } from '../cache/frozen-value';
import { FILL_SECONDS, type Fill, type FillToken } from '../cache/get-or-set';
import { after, type MaybePromise } from '../cache/maybe-promise';
import { SharedTagStore } from '../cache/shared-tag-store';
import { Tags } from '../cache/tags';
import { expiryOf, isExpiredAtOnce, type Timeout } from '../cache/timeouts';
import { type SerializerOption, ValueCodec } from '../cache/value-codec';
import { type Found, growEntryFile, readEntryFile, touchEntryFile } from './entry-file';
import { type FileEntry, keyText, packEntry } from './file-format';
import { FileStore, isDead } from './file-store';

/** Options of the file backend. */
export interface FileBasedOptions extends CullingOptions {
  /** How values become bytes. @defaultValue 'msgpack' */
  readonly serializer?: SerializerOption;
}

/**
 * Entries in files, one each: they outlive the process, and several processes may share the
 * directory. Writes go to a temporary file that is renamed, so that nobody reads half an entry.
 *
 * Location: a directory, as a path or `file:` URL. It is made with mode 0700 when first written
 * to. A relative one is resolved once, when the backend is made. Give it to the cache alone:
 * whoever can write to it decides what is read.
 *
 * Culling removes entries at random. How many there are is counted within the process and, as
 * others write too, by a listing now and then; several processes may exceed `maxEntries` between
 * two listings.
 *
 * @see Django's `FileBasedCache`
 */
export class FileBasedCache extends BaseCache {
  /** @internal */
  override readonly keepsTags: boolean = true;
  readonly #directory: string;
  readonly #store: FileStore;
  #countersCache: FileBasedCache | undefined;
  readonly #codec: ValueCodec;

  /** @throws TypeError if a setting makes no sense. */
  constructor(location: unknown, params: CacheParams = {}) {
    super(location, params);
    const { serializer } = (params.options ?? {}) as FileBasedOptions;
    this.#codec = new ValueCodec(serializer);
    this.#directory = directoryOf(location);
    this.#store = FileStore.at(this.#directory);
  }

  override get<T = unknown>(key: string): Promise<T | undefined>;
  override get<T = unknown, D = T>(
    key: string,
    fallback: D,
    options?: VersionOption,
  ): Promise<T | D>;
  override async get(key: string, fallback?: unknown, options?: VersionOption): Promise<unknown> {
    const { version } = getOptions(key, fallback, options);
    const stored = await this.getStored(key, { version });
    return stored === undefined ? fallback : contentOf(stored);
  }

  /** @internal */
  protected override async getStored(key: string, { version }: VersionOption): Promise<unknown> {
    const finalKey = this.makeAndValidateKey(key, version);
    const path = this.#store.pathOf(finalKey);
    const found = await readEntryFile(path);
    if (isDead(found)) await this.#store.inTurn(path, () => this.#store.discard(path));
    return this.opened(finalKey, this.#unpack(found, finalKey));
  }

  override async set(
    key: string,
    value: unknown,
    timeout?: Timeout,
    options?: StoreOptions,
  ): Promise<void> {
    const { version, tags } = storeOptions('set', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const stored = tags === undefined ? value : await this.withTags(value, tags, 'set', key);
    const bytes = this.#codec.encodeBytes(stored, key);
    const seconds = this.resolveTimeout(timeout, key);
    const path = this.#store.pathOf(finalKey);
    await this.#store.inTurn(path, () => this.#put(path, finalKey, bytes, seconds));
  }

  /** Of several processes that add at the same time, one gets `true`. */
  override async add(
    key: string,
    value: unknown,
    timeout?: Timeout,
    options?: StoreOptions,
  ): Promise<boolean> {
    const { version, tags } = storeOptions('add', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const stored = tags === undefined ? value : await this.withTags(value, tags, 'add', key);
    const bytes = this.#codec.encodeBytes(stored, key);
    const seconds = this.resolveTimeout(timeout, key);
    const store = this.#store;
    const path = store.pathOf(finalKey);
    return store.inTurn(path, async () => {
      for (;;) {
        const found = await readEntryFile(path);
        const there = await this.opened(finalKey, this.#unpack(found, finalKey));
        if (there !== undefined) return false;
        if (found !== 'absent') await store.discard(path, found);
        if (isExpiredAtOnce(seconds)) return true;
        await store.makeRoom(this.maxEntries, this.cullFrequency);
        if (await store.create(path, packEntry(finalKey, expiryOf(seconds), bytes))) return true;
        // Another process was faster. What it wrote may be expired in its turn.
      }
    });
  }

  /** Atomic, also between processes: whatever is written meanwhile stays as it is. */
  override async touch(key: string, timeout?: Timeout, options?: VersionOption) {
    const { version } = versionOptions('touch', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const seconds = this.resolveTimeout(timeout, key);
    const path = this.#store.pathOf(finalKey);
    return this.#store.inTurn(path, async () => {
      const isToEnd = isExpiredAtOnce(seconds);
      const expiresAt = isToEnd ? 0 : expiryOf(seconds);
      let stored: unknown;
      const found = await touchEntryFile(path, expiresAt, (found) => {
        stored = this.#unpack(found, finalKey);
        return stored !== undefined && !(stored instanceof Envelope);
      });
      if (stored instanceof Envelope) {
        stored = await this.opened(finalKey, stored);
        if (stored instanceof Envelope) {
          const { head } = stored;
          await touchEntryFile(path, expiresAt, (found) => isHeadedBy(found, head));
        }
      }
      const isLive = stored !== undefined;
      if (isDead(found) || (isLive && isToEnd)) await this.#store.discard(path);
      return isLive;
    });
  }

  override async delete(key: string, options?: VersionOption) {
    const { version } = versionOptions('delete', options);
    const finalKey = this.makeAndValidateKey(key, version);
    return after(this.noteRemovals('delete', [key]), () => this.#removeInTurn(finalKey));
  }

  #removeInTurn(finalKey: string): Promise<boolean> {
    const path = this.#store.pathOf(finalKey);
    return this.#store.inTurn(path, () => this.#store.remove(path));
  }

  override clear() {
    return this.clearInSteps();
  }

  /** @internal */
  override async clearInSteps(onRemoved?: (count: number) => void) {
    await this.#store.clear(onRemoved);
    await this.#countersCache?.clear();
  }

  /** @internal */
  override get valueCodec(): ValueCodec {
    return this.#codec;
  }

  /**
   * The counters have a directory of their own, where no cull finds them.
   *
   * @internal
   */
  protected override makeTags(): Tags {
    this.#countersCache = new FileBasedCache(join(this.#directory, 'tags'), {
      keyPrefix: this.keyPrefix,
      version: this.version,
      keyFunction: this.keyFunction,
      options: { maxEntries: Number.MAX_SAFE_INTEGER },
    });
    return new Tags(new SharedTagStore(this.#countersCache));
  }

  /**
   * Atomic within the process, not between several; the entry gets the default timeout. Takes
   * fractions.
   */
  override async incr(key: string, delta = 1, options?: VersionOption) {
    const { version } = versionOptions('incr', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const path = this.#store.pathOf(finalKey);
    return this.#store.inTurn(path, async () => {
      const found = await readEntryFile(path);
      if (isDead(found)) await this.#store.discard(path);
      const value = await this.opened(finalKey, this.#unpack(found, finalKey));
      const sum = this.addTo(key, value, delta, delta < 0 ? 'decr' : 'incr');
      await this.#put(path, finalKey, this.#codec.encodeBytes(sum, key), this.defaultTimeout);
      return sum;
    });
  }

  async #put(path: string, finalKey: string, bytes: Buffer, seconds: number | null): Promise<void> {
    if (isExpiredAtOnce(seconds)) {
      await this.#store.remove(path);
      return;
    }
    await this.#store.makeRoom(this.maxEntries, this.cullFrequency);
    await this.#store.put(path, packEntry(finalKey, expiryOf(seconds), bytes));
  }

  /** @internal */
  override async beginFill(key: string, { version }: VersionOption = {}): Promise<Fill> {
    const finalKey = this.makeKey(key, version);
    const store = this.#store;
    const path = store.pathOf(finalKey);
    const head = newHead();
    return store.inTurn(path, async () => {
      for (;;) {
        const found = await readEntryFile(path);
        const stored = this.#unpack(found, finalKey);
        if (stored !== undefined) {
          const fill = await this.fillOver(finalKey, stored);
          const isShared = stored instanceof Envelope && stored.content === undefined;
          if (isShared || fill.token === undefined) return fill;
        }
        if (found !== 'absent') await store.discard(path, found);
        await store.makeRoom(this.maxEntries, this.cullFrequency);
        const placeholder = packEntry(finalKey, expiryOf(FILL_SECONDS), head);
        if (await store.create(path, placeholder)) return { token: head };
      }
    });
  }

  /** @internal */
  override async endFill(
    key: string,
    token: FillToken,
    stored: unknown,
    timeout: Timeout,
    { version }: VersionOption = {},
  ): Promise<boolean> {
    if (token === undefined) return true;
    const head = token as Buffer;
    const finalKey = this.makeKey(key, version);
    const path = this.#store.pathOf(finalKey);
    const seconds = this.resolveTimeout(timeout, key);
    const isStillThere = (found: Found) => isHeadedBy(found, head) && isPlaceholder(found.value);
    if (stored === undefined || isExpiredAtOnce(seconds)) {
      return this.#store.inTurn(path, async () => {
        const isThere = isStillThere(await readEntryFile(path));
        if (isThere) await this.#store.remove(path);
        return isThere;
      });
    }
    const { counters = new Map() } = (stored instanceof Envelope && stored.content) || {};
    // It has to begin as the placeholder does.
    const envelope = new Envelope(head, { value: contentOf(stored), counters });
    const bytes = this.#codec.encodeBytes(envelope, key);
    const entry = packEntry(finalKey, expiryOf(seconds), bytes);
    return this.#store.inTurn(path, () => growEntryFile(path, entry, isStillThere));
  }

  /** @internal */
  override openFrozen(key: string, deadlineMs: number, wantsFound: boolean): Promise<FrozenPlace> {
    const finalKey = this.makeAndValidateKey(key);
    const store = this.#store;
    const path = store.pathOf(finalKey);
    const work = async (): Promise<FrozenPlace> => {
      for (;;) {
        const found = await readEntryFile(path);
        const stored = this.#unpack(found, finalKey);
        if (stored !== undefined) {
          const page = contentOf(stored);
          return {
            found: wantsFound && page instanceof Uint8Array ? page : undefined,
            token: Buffer.from((found as FileEntry).value.subarray(0, PLACE_BYTES)),
          };
        }
        if (found !== 'absent') await store.discard(path, found);
        await store.makeRoom(this.maxEntries, this.cullFrequency);
        const head = newHead();
        const placeholder = packEntry(finalKey, expiryOf(PLACE_SECONDS), head);
        if (await store.create(path, placeholder)) return { token: head };
      }
    };
    return this.within(deadlineMs, store.inTurn(path, work));
  }

  /** @internal */
  override setFrozen(
    key: string,
    value: FrozenValue,
    timeout: Timeout,
    deadlineMs: number,
    token?: FillToken,
  ): MaybePromise<boolean> {
    if (token === undefined) return super.setFrozen(key, value, timeout, deadlineMs);
    const start = token as Buffer;
    const bytes = value.toBytes();
    const stored = isPlaceholder(start)
      ? this.endFill(key, start, bytes, timeout)
      : this.#replace(key, start, bytes, timeout);
    return this.within(deadlineMs, stored);
  }

  /** Stores a value in the place of one that begins so. @returns whether that was still there */
  async #replace(key: string, start: Buffer, bytes: Buffer, timeout: Timeout): Promise<boolean> {
    const finalKey = this.makeAndValidateKey(key);
    const seconds = this.resolveTimeout(timeout, key);
    const path = this.#store.pathOf(finalKey);
    return this.#store.inTurn(path, async () => {
      // Another process may still come between this and what follows, for there are no locks.
      if (!isHeadedBy(await readEntryFile(path), start)) return false;
      await this.#put(path, finalKey, this.#codec.encodeBytes(bytes, key), seconds);
      return true;
    });
  }

  /** @internal */
  override deleteFrozen(key: string, deadlineMs: number): Promise<boolean> {
    return this.within(deadlineMs, this.#removeInTurn(this.makeAndValidateKey(key)));
  }

  /** @internal */
  override async deleteFrozenMany(keys: readonly string[], deadlineMs: number): Promise<void> {
    await Promise.all(keys.map((key) => this.deleteFrozen(key, deadlineMs)));
  }

  /** What was stored, if it is live, of this key, and the serializer can read it. */
  #unpack(found: Found, finalKey: string): unknown {
    if (found === 'absent' || found === 'broken' || isDead(found)) return undefined;
    if (found.keyText !== keyText(finalKey)) return undefined;
    try {
      const stored = this.#codec.decodeBytes(found.value);
      const isPlain = stored instanceof Envelope && stored.content?.counters.size === 0;
      return isPlain ? contentOf(stored) : stored;
    } catch {
      return undefined;
    }
  }
}

/** Whether it is the file of this envelope. */
function isHeadedBy(found: Found, head: Buffer): found is FileEntry {
  if (found === 'absent' || found === 'broken') return false;
  return found.value.subarray(0, head.length).equals(head);
}

function directoryOf(location: unknown): string {
  if (isFileUrl(location)) return resolve(fileURLToPath(location));
  if (typeof location !== 'string' || location === '') {
    throw new TypeError(
      `The location of a file cache is ${JSON.stringify(location) ?? String(location)}. Give the path of a directory, or its file: URL.`,
    );
  }
  const path = resolve(location);
  if (!isAbsolute(location)) {
    process.emitWarning(
      `The file cache's location ${JSON.stringify(location)} is relative and was resolved to ${JSON.stringify(path)}. Give an absolute path, so that it does not depend on where the process is started.`,
      { type: 'CacheLocationWarning', code: 'CACHEWRIGHT_RELATIVE_LOCATION' },
    );
  }
  return path;
}

function isFileUrl(location: unknown): location is URL | string {
  if (location instanceof URL) return location.protocol === 'file:';
  return typeof location === 'string' && /^file:/i.test(location);
}
