import {
  type CacheParams,
  collect,
  contentOf,
  type Entries,
  type FrozenPlace,
  type LatestValue,
  PLACE_BYTES,
  PLACE_SECONDS,
  type StoreOptions,
  toPairs,
  type VersionOption,
} from '../../cache/base-cache';
import { getOptions, keysOf, storeOptions, versionOptions } from '../../cache/call-arguments';
import type { Deadline } from '../../cache/deadline';
import { Envelope, isEnvelope, newHead } from '../../cache/envelope';
import type { FrozenValue } from '../../cache/frozen-value';
import { FILL_SECONDS, type Fill, type FillToken } from '../../cache/get-or-set';
import type { Version } from '../../cache/keys';
import { after } from '../../cache/maybe-promise';
import type { MessageBus } from '../../cache/message-bus';
import { HISTORY } from '../../cache/shared-tag-store';
import { namesOfRemovals } from '../../cache/tag-names';
import type { Timeout } from '../../cache/timeouts';
import { CacheKeyNotFoundError, CacheValueError } from '../../errors';
import { groupBy } from '../group-by';
import { type CacheFailure, ServerCache } from '../server-cache';
import type { RedisClient } from './client';
import {
  expiry,
  type Found,
  hasEnvelope,
  isWrongType,
  put,
  readAll,
  readBytes,
  readEach,
  setExpiry,
  unlink,
} from './commands';
import type { RedisWork } from './connection';
import { KeyFrame, prefixPattern } from './key-pattern';
import { type RedisLocation, topologyOf } from './location';
import { RedisLock, type RedisLockOptions } from './lock';
import { RedisMessages } from './messages';
import type { RedisOptions } from './options';
import { flush, removeMatching, scan } from './scan';
import {
  COMPARE_AND_DELETE,
  COMPARE_AND_SET,
  DELETE_IF,
  GET_OR_PUT,
  INCREMENT,
  REPLACE_IF,
  run,
  runForBytes,
  START_OR_PUT,
} from './scripts';
import type { RedisServer } from './server';
import type { RedisTopology } from './topology';

/** Seconds that mean the same as any more, and with which the server can still reckon. */
const MAX_SECONDS = 1e12;

/**
 * Entries on Redis: one server, a leader with replicas, a cluster, or whom Sentinels name. Counters
 * and `add` are atomic among all processes. Timeouts count in whole seconds.
 *
 * Location: see {@link RedisLocation}. The first server is written to; the others are its replicas,
 * one of which is read, chosen at random.
 *
 * @see Django's `RedisCache`
 */
export class RedisCache extends ServerCache {
  readonly #open: () => RedisTopology;
  readonly #clearsDatabase: boolean;
  #opened: RedisTopology | undefined;

  /**
   * @throws TypeError if a setting makes no sense; Error that says what to install, if ioredis is
   *   missing.
   */
  constructor(location: RedisLocation, params: CacheParams = {}) {
    super(location, params);
    const options = (params.options ?? {}) as RedisOptions;
    const { clears = 'prefix', ownWritesMs = 1000 } = options;
    if (clears !== 'prefix' && clears !== 'database') {
      throw new TypeError(
        `options.clears is ${JSON.stringify(clears)}. Give 'prefix' or 'database'.`,
      );
    }
    if (!Number.isInteger(ownWritesMs) || ownWritesMs < 0) {
      throw new TypeError(
        `options.ownWritesMs is ${JSON.stringify(ownWritesMs)}. Give whole milliseconds, 0 or more.`,
      );
    }
    this.#clearsDatabase = clears === 'database';
    this.#open = topologyOf(
      location,
      options,
      { maxPending: this.maxPending, readTimeoutMs: this.readTimeoutMs },
      ownWritesMs,
    );
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
    const failure = { operation: 'get', key };
    const expected = this.expectedCounters(finalKey);
    const work = (client: RedisClient) => readBytes(client, finalKey);
    const stored = this.#valueOf(await this.#read(failure, finalKey, work, null), failure);
    return stored instanceof Envelope ? this.opened(finalKey, stored, expected) : stored;
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
    const bytes = this.codec.encodeBytes(stored, key);
    const seconds = this.#seconds(timeout, key);
    await this.#write(
      { operation: 'set', key },
      finalKey,
      (client) => put(client, finalKey, bytes, seconds),
      undefined,
    );
  }

  /** Atomic: of many who add at once, in whichever process, one is accepted. */
  override async add(
    key: string,
    value: unknown,
    timeout?: Timeout,
    options?: StoreOptions,
  ): Promise<boolean> {
    const { version, tags } = storeOptions('add', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const stored = tags === undefined ? value : await this.withTags(value, tags, 'add', key);
    const bytes = this.codec.encodeBytes(stored, key);
    const seconds = this.#seconds(timeout, key);
    const failure = { operation: 'add', key };
    const work = async (client: RedisClient): Promise<boolean | Found> => {
      // Redis refuses to expire at once. It would be gone already, so only the answer matters.
      const isAdded =
        seconds === 0
          ? (await client.call('exists', finalKey)) === 0
          : (await client.call('set', finalKey, bytes, 'nx', ...expiry(seconds))) === 'OK';
      if (isAdded || !(await hasEnvelope(client, finalKey))) return isAdded;
      return readBytes(client, finalKey);
    };
    for (;;) {
      const answer = await this.#write(failure, finalKey, work, false);
      if (typeof answer === 'boolean') return answer;
      if (answer === null) continue;
      // What is there may stand for no value.
      const found = this.#valueOf(answer, failure);
      if (!(found instanceof Envelope) || (await this.opened(finalKey, found)) !== undefined) {
        return false;
      }
      if (seconds === 0 || (await this.#replace(failure, finalKey, found.head, bytes, seconds))) {
        return true;
      }
    }
  }

  override async touch(key: string, timeout?: Timeout, options?: VersionOption): Promise<boolean> {
    const { version } = versionOptions('touch', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const seconds = this.#seconds(timeout, key);
    const failure = { operation: 'touch', key };
    const work = async (client: RedisClient): Promise<boolean | Found> => {
      if (seconds === 0) {
        const [found, removed] = await Promise.all([
          readBytes(client, finalKey),
          client.call('unlink', finalKey),
        ]);
        return removed === 1 && found !== null && !(found instanceof Error) && isEnvelope(found)
          ? found
          : removed === 1;
      }
      const [isTouched, isInEnvelope] = await Promise.all([
        setExpiry(client, finalKey, seconds),
        hasEnvelope(client, finalKey),
      ]);
      return isTouched && isInEnvelope ? readBytes(client, finalKey) : isTouched;
    };
    const answer = await this.#write(failure, finalKey, work, false);
    if (typeof answer === 'boolean') return answer;
    return (await this.opened(finalKey, this.#valueOf(answer, failure))) !== undefined;
  }

  override async delete(key: string, options?: VersionOption): Promise<boolean> {
    const { version } = versionOptions('delete', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const work = async (client: RedisClient) => (await client.call('unlink', finalKey)) === 1;
    return after(this.noteRemovals('delete', [key]), () =>
      this.#write({ operation: 'delete', key }, finalKey, work, false),
    );
  }

  /**
   * Removes the entries that have this alias's key prefix, of all versions; those of a longer prefix
   * such as `<keyPrefix>:…` look the same and go, too. Other keys of the database stay, unless
   * `options.clears` is `'database'`.
   *
   * @throws TypeError if the alias's `keyFunction` hides the prefix.
   */
  override clear(): Promise<void> {
    return this.clearInSteps(() => {});
  }

  /** @internal */
  override async clearInSteps(onRemoved: (count: number) => void): Promise<void> {
    if (this.#clearsDatabase) {
      await flush(this.#topology, this.writeTimeoutMs);
    } else {
      const pattern = prefixPattern(this.keyFunction, this.keyPrefix);
      await removeMatching(this.#topology, pattern, this.writeTimeoutMs, onRemoved);
    }
  }

  override async hasKey(key: string, options?: VersionOption): Promise<boolean> {
    return this.#hasKey(key, versionOptions('hasKey', options), false);
  }

  /** @internal */
  override hasKeyLatest(key: string, options: VersionOption): Promise<boolean> {
    return this.#hasKey(key, options, true);
  }

  async #hasKey(key: string, { version }: VersionOption, isLatest: boolean): Promise<boolean> {
    const finalKey = this.makeAndValidateKey(key, version);
    const server = isLatest ? this.#topology.writer(finalKey) : undefined;
    const work = async (client: RedisClient) => {
      const [exists, isInEnvelope] = await Promise.all([
        client.call('exists', finalKey),
        hasEnvelope(client, finalKey),
      ]);
      return { isThere: exists === 1, isInEnvelope };
    };
    const failure = { operation: 'hasKey', key };
    const miss = { isThere: false, isInEnvelope: undefined };
    const { isThere, isInEnvelope } = await this.#read(failure, finalKey, work, miss, server);
    if (!isInEnvelope) return isThere;
    const stored = isLatest
      ? (await this.getLatest(key, { version })).stored
      : await this.getStored(key, { version });
    return stored !== undefined;
  }

  override async getMany<T = unknown>(
    keys: Iterable<string>,
    options?: VersionOption,
  ): Promise<Record<string, T>> {
    const { version } = versionOptions('getMany', options);
    const unique = keysOf('getMany', keys);
    const finalKeys = unique.map((key) => this.makeAndValidateKey(key, version));
    return (await this.#valuesOf(unique, finalKeys, await this.#readMany(finalKeys))) as Record<
      string,
      T
    >;
  }

  /** @internal */
  override async getManyLatest(keys: readonly string[], { version }: VersionOption) {
    const finalKeys = keys.map((key) => this.makeAndValidateKey(key, version));
    const [found] = await this.#readLatest(finalKeys);
    return this.#valuesOf(keys, finalKeys, found);
  }

  /** The values of what was found. */
  async #valuesOf(
    unique: readonly string[],
    finalKeys: readonly string[],
    found: readonly Found[],
  ): Promise<Record<string, unknown>> {
    const stored = found.map((bytes, i) =>
      this.#valueOf(bytes, { operation: 'getMany', key: unique[i]! }),
    );
    const values = (await this.openedMany(finalKeys, stored)).map(contentOf);
    return collect(unique, values);
  }

  /**
   * Stores all in one round trip, or one to each node of a cluster. Each entry is stored together
   * with its expiry: none can be left without.
   */
  override async setMany(
    entries: Entries,
    timeout?: Timeout,
    options?: StoreOptions,
  ): Promise<string[]> {
    const { version, tags } = storeOptions('setMany', options);
    const puts = new Map<string, { key: string; bytes: Buffer }>();
    const pairs = toPairs(entries);
    for (const [key, stored] of tags === undefined ? pairs : await this.allWithTags(pairs, tags)) {
      const finalKey = this.makeAndValidateKey(key, version);
      puts.set(finalKey, { key, bytes: this.codec.encodeBytes(stored, key) });
    }
    const seconds = this.#seconds(timeout, 'setMany');
    const failed = await this.#writeMany(
      { operation: 'setMany' },
      [...puts.keys()],
      (client, own) =>
        Promise.all(
          own.map((finalKey) => put(client, finalKey, puts.get(finalKey)!.bytes, seconds)),
        ),
    );
    return failed.map((finalKey) => puts.get(finalKey)!.key);
  }

  override async deleteMany(keys: Iterable<string>, options?: VersionOption) {
    const { version } = versionOptions('deleteMany', options);
    const unique = keysOf('deleteMany', keys);
    const finalKeys = new Set(unique.map((key) => this.makeAndValidateKey(key, version)));
    await after(this.noteRemovals('deleteMany', unique), () =>
      this.#writeMany({ operation: 'deleteMany' }, [...finalKeys], (client, own) =>
        unlink(client, own, this.#topology.isCluster),
      ),
    );
  }

  /** Atomic among all processes; keeps the entry's expiry. Takes whole numbers alone. */
  override async incr(key: string, delta = 1, options?: VersionOption): Promise<number> {
    const { version } = versionOptions('incr', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const method = delta < 0 ? 'decr' : 'incr';
    if (!Number.isSafeInteger(delta)) {
      throw new TypeError(
        `${method}(${JSON.stringify(key)}) got ${String(delta)}. Redis counts by whole numbers.`,
      );
    }
    const work = async (client: RedisClient, deadline: Deadline) => {
      try {
        return await run(client, deadline, INCREMENT, finalKey, String(delta));
      } catch (error) {
        // No failure of the server, whatever is done with those.
        if (isNoInteger(error)) return (await hasEnvelope(client, finalKey)) ? undefined : error;
        throw error;
      }
    };
    const sum = await this.#write<unknown>({ operation: method, key }, finalKey, work, null);
    if (sum === null) throw new CacheKeyNotFoundError(key, method);
    if (sum === undefined) {
      return this.addTo(key, await this.getStored(key, { version }), delta, method);
    }
    if (sum instanceof Error) {
      throw new CacheValueError(
        `${method}(${JSON.stringify(key)}): the entry is no integer, or the sum is not a safe one. Redis says: ${sum.message}`,
        key,
        { cause: sum },
      );
    }
    return Number(sum);
  }

  /**
   * The caller's keys that match a pattern of Redis (`user:*`, `?`, `[ab]`), at one version. Goes
   * through the whole database, a slice at a time: nothing for a visitor's request. Keys that come or
   * go meanwhile may be missed, and a key may come twice.
   *
   * @param pattern - A `\` before a character means the character itself.
   * @throws TypeError if the alias's `keyFunction` hides the key.
   */
  async *keys(pattern = '*', options?: VersionOption) {
    const { version = this.version } = versionOptions('keys', options);
    const frame = new KeyFrame(this.keyFunction, this.keyPrefix, version);
    for await (const finalKeys of scan(
      this.#topology,
      frame.pattern(pattern),
      this.writeTimeoutMs,
    )) {
      for (const finalKey of finalKeys) yield frame.keyOf(finalKey);
    }
  }

  /**
   * Removes the entries whose keys match, as {@link RedisCache.keys} finds them.
   *
   * @returns how many there were
   */
  async deletePattern(pattern: string, options?: VersionOption): Promise<number> {
    const { version = this.version } = versionOptions('deletePattern', options);
    const frame = new KeyFrame(this.keyFunction, this.keyPrefix, version);
    // Before they are removed, so that pages being made now are not stored.
    const names = namesOfRemovals(/^[^*?[\\]*/.exec(pattern)![0]);
    if (names.length > 0) await this.tags.noteRemovals(names);
    return removeMatching(this.#topology, frame.pattern(pattern), this.writeTimeoutMs);
  }

  /** Seconds an entry has left; `null`: no expiry; `undefined`: there is none. */
  async ttl(key: string, options?: VersionOption): Promise<number | null | undefined> {
    const { version } = versionOptions('ttl', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const [ms, isInEnvelope] = await this.#read(
      { operation: 'ttl', key },
      finalKey,
      (client) => Promise.all([client.call('pttl', finalKey), hasEnvelope(client, finalKey)]),
      [-2, undefined],
    );
    const isGone = isInEnvelope && (await this.getStored(key, { version })) === undefined;
    if (ms === -2 || isGone) return undefined;
    return ms === -1 ? null : Number(ms) / 1000;
  }

  /** Takes an entry's expiry away. @returns `false` if there is no live entry */
  persist(key: string, options?: VersionOption): Promise<boolean> {
    return this.touch(key, null, options);
  }

  /**
   * A lock that one holder of all processes can have, and that ends by itself. It guards against
   * doing things twice; as it is lost with a leader that fails, not against all ways of going wrong.
   *
   * @example
   * await cache.lock('report lock', { seconds: 60 }).using(async () => {
   *   await cache.set('report', await buildReport());
   * });
   */
  lock(key: string, options: RedisLockOptions & VersionOption = {}): RedisLock {
    const finalKey = this.makeAndValidateKey(key, options.version);
    return new RedisLock(key, options, {
      acquire: (token, ms) => this.#acquire(finalKey, token, ms, this.writeTimeoutMs),
      extend: (token, ms) => this.#extend(finalKey, token, ms, this.writeTimeoutMs),
    });
  }

  /**
   * Lets go of connections, once what is under way is done. A ready-made client stays open: it is
   * its maker's to close.
   */
  override async close(): Promise<void> {
    await this.finishAll();
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.close(this.writeTimeoutMs);
  }

  /** @internal */
  override async readCounters(keys: readonly string[]): Promise<Record<string, unknown>> {
    const finalKeys = keys.map((key) => this.makeKey(key));
    const [found, history] = await this.#readLatest(finalKeys);
    const values = found.map((bytes, i) =>
      this.#valueOf(bytes, { operation: 'getMany', key: keys[i]! }),
    );
    const record = collect(keys, values);
    record[HISTORY] = history;
    return record;
  }

  /** @internal */
  override async getLatest(key: string, { version }: VersionOption): Promise<LatestValue> {
    const finalKey = this.makeAndValidateKey(key, version);
    const failure = { operation: 'get', key };
    const expected = this.expectedCounters(finalKey);
    const { guard, connection } = this.#topology.writer(finalKey);
    const work = (client: RedisClient) =>
      Promise.all([readBytes(client, finalKey), client.call('pttl', finalKey)]);
    const send = (deadline: Deadline) => connection.send(work, deadline);
    const [found, ms] = await this.read<[Found, unknown]>(guard, failure, send, [null, -2]);
    const stored = await this.opened(finalKey, this.#valueOf(found, failure), expected);
    return { stored, leftMs: ms === -1 ? null : Number(ms) };
  }

  /** @internal */
  override async getFrozen(key: string, deadlineMs: number, isLatest = false) {
    const finalKey = this.makeAndValidateKey(key);
    const server = isLatest ? this.#topology.writer(finalKey) : this.#topology.reader(finalKey);
    const work = (client: RedisClient) => client.callBuffer('get', finalKey);
    return ((await server.run(work, deadlineMs)) as Buffer | null) ?? undefined;
  }

  /** @internal */
  override async setFrozen(
    key: string,
    value: FrozenValue,
    timeout: Timeout,
    deadlineMs: number,
    token?: FillToken,
  ): Promise<boolean> {
    const finalKey = this.makeAndValidateKey(key);
    const seconds = this.#seconds(timeout, key);
    if (token === undefined) {
      const work = (client: RedisClient) => put(client, finalKey, value.toBytes(), seconds);
      await this.#change(finalKey, work, deadlineMs);
      return true;
    }
    const work = replaceIf(finalKey, token as Buffer, value.toBytes(), seconds);
    return (await this.#change(finalKey, work, deadlineMs)) === true;
  }

  /** @internal */
  override async openFrozen(
    key: string,
    deadlineMs: number,
    wantsFound: boolean,
  ): Promise<FrozenPlace> {
    const finalKey = this.makeAndValidateKey(key);
    const head = newHead();
    const work = async (client: RedisClient, deadline: Deadline) => {
      const args = [finalKey, head, PLACE_SECONDS] as const;
      try {
        return wantsFound
          ? await runForBytes(client, deadline, GET_OR_PUT, ...args)
          : await runForBytes(client, deadline, START_OR_PUT, ...args, PLACE_BYTES);
      } catch (error) {
        if (isWrongType(error)) return error;
        throw error;
      }
    };
    const found = (await this.#change(finalKey, work, deadlineMs)) as Found;
    // What is no page is replaced whatever becomes of it.
    if (found instanceof Error) return {};
    if (found === null) return { token: head };
    const token = Buffer.from(found.subarray(0, PLACE_BYTES));
    return wantsFound ? { found, token } : { token };
  }

  /** @internal */
  override async deleteFrozen(key: string, deadlineMs: number): Promise<boolean> {
    const finalKey = this.makeAndValidateKey(key);
    const work = (client: RedisClient) => client.call('unlink', finalKey);
    return (await this.#change(finalKey, work, deadlineMs)) === 1;
  }

  /** @internal */
  override async deleteFrozenMany(keys: readonly string[], deadlineMs: number): Promise<void> {
    const finalKeys = keys.map((key) => this.makeAndValidateKey(key));
    const topology = this.#topology;
    topology.wrote(finalKeys);
    await Promise.all(
      [...groupBy(finalKeys, (finalKey) => topology.writer(finalKey))].map(([server, own]) =>
        server.run((client) => unlink(client, own, topology.isCluster), deadlineMs),
      ),
    );
    topology.wrote(finalKeys);
  }

  /** @internal */
  override get messageScope(): string {
    return this.#topology.scope;
  }

  /** @internal */
  override openMessages(): MessageBus {
    return new RedisMessages(() => this.#topology, this.writeTimeoutMs);
  }

  /** @internal */
  override get swapsLeases(): boolean {
    return true;
  }

  /** @internal */
  override acquireLease(
    key: string,
    token: string,
    seconds: number,
    deadlineMs: number,
    version?: Version,
  ) {
    return this.#acquire(this.makeAndValidateKey(key, version), token, seconds * 1000, deadlineMs);
  }

  /** @internal */
  override async readLease(key: string, deadlineMs: number, version?: Version): Promise<unknown> {
    const finalKey = this.makeAndValidateKey(key, version);
    const work = (client: RedisClient) => client.call('get', finalKey);
    return (await this.#topology.writer(finalKey).run(work, deadlineMs)) ?? undefined;
  }

  /** @internal */
  override extendLease(
    key: string,
    token: string,
    seconds: number,
    deadlineMs: number,
    successor: string = token,
    version?: Version,
  ) {
    const finalKey = this.makeAndValidateKey(key, version);
    return this.#extend(finalKey, token, seconds * 1000, deadlineMs, successor);
  }

  /** @internal */
  override async beginFill(key: string, { version }: VersionOption = {}): Promise<Fill> {
    const finalKey = this.makeKey(key, version);
    const failure = { operation: 'getOrSet', key };
    const head = newHead();
    const work = async (client: RedisClient, deadline: Deadline) => {
      try {
        const found = runForBytes(client, deadline, GET_OR_PUT, finalKey, head, FILL_SECONDS);
        return (await found) as Buffer | null;
      } catch (error) {
        if (isWrongType(error)) return error;
        throw error;
      }
    };
    const found = await this.#write<Found | undefined>(failure, finalKey, work, undefined);
    if (found === undefined) return {};
    if (found === null) return { token: head };
    return this.fillOver(finalKey, this.#valueOf(found, failure));
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
    const finalKey = this.makeKey(key, version);
    const failure = { operation: 'getOrSet', key };
    if (stored === undefined) return this.#abandon(failure, finalKey, token as Buffer);
    const bytes = this.codec.encodeBytes(stored, key);
    const seconds = this.#seconds(timeout, key);
    return this.#replace(failure, finalKey, token as Buffer, bytes, seconds, true);
  }

  get #topology(): RedisTopology {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  async #acquire(finalKey: string, token: string, ms: number, deadlineMs: number) {
    const work = (client: RedisClient) =>
      client.call('set', finalKey, token, 'nx', 'px', Math.ceil(ms));
    return (await this.#change(finalKey, work, deadlineMs)) === 'OK';
  }

  async #extend(
    finalKey: string,
    token: string,
    ms: number,
    deadlineMs: number,
    successor: string = token,
  ) {
    const work = (client: RedisClient, deadline: Deadline) =>
      ms <= 0
        ? run(client, deadline, COMPARE_AND_DELETE, finalKey, token)
        : run(client, deadline, COMPARE_AND_SET, finalKey, token, successor, Math.ceil(ms));
    return (await this.#change(finalKey, work, deadlineMs)) === 1;
  }

  /**
   * Replaces what is in this envelope, if it is still there.
   *
   * @param miss - In place of a failure, if those are misses.
   * @returns whether it was
   */
  #replace(
    failure: CacheFailure,
    finalKey: string,
    head: Buffer,
    bytes: Buffer,
    seconds: number | null,
    miss = false,
  ): Promise<boolean> {
    return this.#write(failure, finalKey, replaceIf(finalKey, head, bytes, seconds), miss);
  }

  /** Removes a placeholder; what was purged softly is shown on. @returns whether it was there */
  #abandon(failure: CacheFailure, finalKey: string, head: Buffer): Promise<boolean> {
    const work = async (client: RedisClient, deadline: Deadline) => {
      const found = await readBytes(client, finalKey);
      if (!Buffer.isBuffer(found) || !found.subarray(0, head.length).equals(head)) return false;
      if (found.length === head.length) await run(client, deadline, DELETE_IF, finalKey, head);
      return true;
    };
    return this.#write(failure, finalKey, work, true);
  }

  /** Whole seconds: Django cuts what is beyond them, and takes what is below 0 for 0. */
  #seconds(timeout: Timeout, key: string): number | null {
    const seconds = this.resolveTimeout(timeout, key);
    if (seconds === null) return null;
    return Math.min(Math.max(0, Math.trunc(seconds)), MAX_SECONDS);
  }

  #valueOf(found: Found, failure: CacheFailure): unknown {
    if (found === null) return undefined;
    if (!(found instanceof Error)) return this.decode(found, failure);
    this.report(found, failure);
    return undefined;
  }

  #read<T>(
    failure: CacheFailure,
    finalKey: string,
    work: RedisWork<T>,
    miss: T,
    server: RedisServer = this.#topology.reader(finalKey),
  ): Promise<T> {
    const send = (deadline: Deadline) => server.connection.send(work, deadline);
    return this.read(server.guard, failure, send, miss);
  }

  async #write<T>(
    failure: CacheFailure,
    finalKey: string,
    work: RedisWork<T>,
    miss: T,
  ): Promise<T> {
    const topology = this.#topology;
    const { guard, connection } = topology.writer(finalKey);
    const send = (deadline: Deadline) => connection.send(work, deadline);
    topology.wrote([finalKey]);
    const answer = await this.write(guard, failure, send, miss);
    // The replicas' moment begins with the server's answer.
    topology.wrote([finalKey]);
    return answer;
  }

  /** Like {@link RedisCache.#write}, for pages: with their own deadline, and errors as they are. */
  async #change(finalKey: string, work: RedisWork<unknown>, deadlineMs: number): Promise<unknown> {
    const topology = this.#topology;
    topology.wrote([finalKey]);
    const answer = await topology.writer(finalKey).run(work, deadlineMs);
    topology.wrote([finalKey]);
    return answer;
  }

  /** What is found under each of the keys where they are written, and in which history. */
  async #readLatest(finalKeys: readonly string[]): Promise<readonly [readonly Found[], number]> {
    const topology = this.#topology;
    // On a cluster each node has a history of its own.
    if (topology.isCluster || finalKeys.length === 0) return [await this.#readMany(finalKeys), 0];
    const { guard, connection } = topology.writer(finalKeys[0]!);
    const send = (deadline: Deadline) =>
      connection.send(
        (client) => connection.withHistory(() => readAll(client, finalKeys)),
        deadline,
      );
    const nothing = [finalKeys.map(() => null), 0] as const;
    return this.read<readonly [readonly Found[], number]>(
      guard,
      { operation: 'getMany' },
      send,
      nothing,
    );
  }

  /** What is found under each of the keys. */
  async #readMany(finalKeys: readonly string[]): Promise<Found[]> {
    if (finalKeys.length === 0) return [];
    const topology = this.#topology;
    // Keys of several slots cannot be in one command. They go out together all the same.
    const [groups, ask] = topology.isCluster
      ? [groupBy(finalKeys, (finalKey) => topology.reader(finalKey)), readEach]
      : [new Map([[topology.reader(finalKeys), finalKeys]]), readAll];
    const found = new Map<string, Found>();
    await Promise.all(
      [...groups].map(async ([{ guard, connection }, own]) => {
        const send = (deadline: Deadline) =>
          connection.send((client) => ask(client, own), deadline);
        const values = await this.read(guard, { operation: 'getMany' }, send, []);
        for (const [i, finalKey] of own.entries()) found.set(finalKey, values[i] ?? null);
      }),
    );
    return finalKeys.map((finalKey) => found.get(finalKey)!);
  }

  /** Does `work` with the keys of each server. Returns the keys of those that failed. */
  async #writeMany(
    failure: CacheFailure,
    finalKeys: readonly string[],
    work: (client: RedisClient, finalKeys: readonly string[]) => Promise<unknown>,
  ): Promise<string[]> {
    const topology = this.#topology;
    const groups = groupBy(finalKeys, (finalKey) => topology.writer(finalKey));
    topology.wrote(finalKeys);
    const failed = await Promise.all(
      [...groups].map(async ([{ guard, connection }, own]) => {
        const send = (deadline: Deadline) =>
          connection.send((client) => work(client, own).then(() => true), deadline);
        return (await this.write(guard, failure, send, false)) ? [] : own;
      }),
    );
    topology.wrote(finalKeys);
    return failed.flat();
  }
}

/** Replaces what begins so, if it is still there. The work tells whether it was. */
function replaceIf(
  finalKey: string,
  start: Buffer,
  bytes: Buffer,
  seconds: number | null,
): RedisWork<boolean> {
  return async (client, deadline) => {
    try {
      const done =
        seconds === 0
          ? run(client, deadline, DELETE_IF, finalKey, start)
          : run(client, deadline, REPLACE_IF, finalKey, start, bytes, ...expiry(seconds));
      return (await done) === 1;
    } catch (error) {
      if (isWrongType(error)) return false;
      throw error;
    }
  };
}

function isNoInteger(error: unknown): boolean {
  return isWrongType(error) || /^ERR .*(not an integer|overflow)/.test((error as Error).message);
}
