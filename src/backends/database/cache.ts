import {
  type CacheParams,
  type CullingOptions,
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
import { Envelope, isEnvelope, newHead } from '../../cache/envelope';
import type { FrozenValue } from '../../cache/frozen-value';
import { FILL_SECONDS, type Fill, type FillToken } from '../../cache/get-or-set';
import { digestOf, type Version } from '../../cache/keys';
import { after } from '../../cache/maybe-promise';
import type { MessageBus } from '../../cache/message-bus';
import { expiryOf, isExpiredAtOnce, type Timeout } from '../../cache/timeouts';
import {
  CacheKeyNotFoundError,
  CacheUnavailableError,
  CacheValueError,
  InvalidCacheBackendError,
} from '../../errors';
import { type CacheFailure, ServerCache, type ServerOptions } from '../server-cache';
import { ServerGuard } from '../server-guard';
import { Culling } from './culling';
import { Database, type OpenDatabase } from './database';
import { databaseNamed, routedDatabase } from './databases';
import { SERVER_NOW } from './instants';
import { Savepoints } from './savepoints';
import { type DatabaseSource, isDatabaseUrl } from './sources';
import { endsTransaction } from './sql-errors';
import { isStorableKey } from './storable-keys';
import { type CacheTable, type FoundRow, MAX_ROWS, type Row } from './table';
import { openTable } from './tables';

/** Options of {@link DatabaseCache}. */
export interface DatabaseOptions extends ServerOptions, CullingOptions {
  /**
   * The database of this cache alone, or the name of one given to {@link configureDatabases}.
   * Routers are not asked then.
   *
   * @defaultValue what the routers say, else the database `default`
   */
  readonly database?: DatabaseSource;
}

/** Bytes of the values in one statement of `setMany`, for servers limit that, too. */
const MAX_STATEMENT_BYTES = 4 * 1024 * 1024;

/** Times that a row is gone again which was in the way of a fill's. */
const FILL_ATTEMPTS = 3;

/** Rows that are removed at a time where all of them are. */
const CLEAR_STEP = 1000;

/** A table in an open database, and what stands before it. */
interface Place {
  readonly table: CacheTable;
  readonly guard: ServerGuard;
  readonly savepoints: Savepoints | undefined;
  /** Whether it is a transaction of the site's. */
  readonly isInTransaction: boolean;
}

/**
 * Entries in a table of PostgreSQL, MySQL, MariaDB or SQLite, which `npx cachewright
 * createcachetable` makes. Each operation is one statement; when there are more entries than
 * `maxEntries`, expired ones go first, then those with the lowest keys.
 *
 * `incr` is atomic, between processes too, and gives the entry the default timeout anew. Keys of
 * more than 255 characters, or with a NUL, are never stored.
 *
 * @see Django's `DatabaseCache`
 */
export class DatabaseCache extends ServerCache {
  /** The table, one identifier. */
  readonly tableName: string;
  readonly #source: Database | string | undefined;
  readonly #places = new Map<OpenDatabase, Place>();
  readonly #databases = new Set<Database>();
  readonly #culling: Culling;
  /** Whether integers are stored as digits, so that the database can count on them. */
  readonly #countsInPlace: boolean;

  /**
   * @param location - Name of the table. It is quoted: any name will do.
   * @throws TypeError if a setting makes no sense.
   */
  constructor(location: string, params: CacheParams = {}) {
    super(location, params);
    if (typeof location !== 'string' || location === '' || location.includes('\0')) {
      throw new TypeError(
        `The location is ${JSON.stringify(location) ?? String(location)}. Give the name of the table.`,
      );
    }
    this.tableName = location;
    const { database, serializer } = (params.options ?? {}) as DatabaseOptions;
    const isName = typeof database === 'string' && !isDatabaseUrl(database);
    this.#source = database === undefined || isName ? database : new Database(database);
    this.#culling = new Culling(this.maxEntries, this.cullFrequency);
    this.#countsInPlace = typeof serializer !== 'object';
  }

  /**
   * `options.database`: a database of its own, or the name of one.
   *
   * @internal
   */
  get ownDatabase(): Database | string | undefined {
    return this.#source;
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
    const expected = this.expectedCounters(finalKey);
    const found = await this.#find([finalKey], { operation: 'get', key });
    return this.opened(finalKey, found.get(finalKey), expected);
  }

  override async getMany<T = unknown>(
    keys: Iterable<string>,
    options?: VersionOption,
  ): Promise<Record<string, T>> {
    const { version } = versionOptions('getMany', options);
    const finalKeys = new Map(
      [...keys].map((key) => [key, this.makeAndValidateKey(key, version)] as const),
    );
    return (await this.#findAll(finalKeys)) as Record<string, T>;
  }

  /** @internal */
  override getManyLatest(keys: readonly string[], { version }: VersionOption) {
    const finalKeys = new Map(
      keys.map((key) => [key, this.makeAndValidateKey(key, version)] as const),
    );
    return this.#findAll(finalKeys, this.#placeFor('write'));
  }

  async #findAll(
    finalKeys: ReadonlyMap<string, string>,
    from?: Place,
  ): Promise<Record<string, unknown>> {
    const unique = [...new Set(finalKeys.values())];
    const stored = await this.#find(unique, { operation: 'getMany' }, undefined, from);
    const found = [...finalKeys.values()].map((finalKey) => stored.get(finalKey));
    const values = (await this.openedMany([...finalKeys.values()], found)).map(contentOf);
    return collect([...finalKeys.keys()], values);
  }

  override async hasKey(key: string, options?: VersionOption): Promise<boolean> {
    return this.#hasKey(key, versionOptions('hasKey', options), 'read');
  }

  /** @internal */
  override hasKeyLatest(key: string, options: VersionOption): Promise<boolean> {
    return this.#hasKey(key, options, 'write');
  }

  async #hasKey(key: string, { version }: VersionOption, use: 'read' | 'write'): Promise<boolean> {
    const finalKey = this.makeAndValidateKey(key, version);
    if (!isStorableKey(finalKey)) return false;
    const { table, guard } = this.#placeFor(use);
    const work = () => table.startOf(finalKey, Date.now());
    const start = await this.read(guard, { operation: 'hasKey', key }, work, undefined);
    if (start === undefined || !isEnvelope(start)) return start !== undefined;
    const stored =
      use === 'write'
        ? (await this.getLatest(key, { version })).stored
        : await this.getStored(key, { version });
    return stored !== undefined;
  }

  override async set(
    key: string,
    value: unknown,
    timeout?: Timeout,
    options?: StoreOptions,
  ): Promise<void> {
    const { version, tags } = storeOptions('set', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const seconds = this.resolveTimeout(timeout, key);
    const stored = tags === undefined ? value : await this.withTags(value, tags, 'set', key);
    const bytes = this.codec.encodeBytes(stored, key);
    const failure = { operation: 'set', key };
    const place = this.#placeFor('write');
    const work = () => this.#set(place, finalKey, bytes, seconds, failure);
    await this.write(place.guard, failure, work, undefined);
  }

  override async setMany(
    entries: Entries,
    timeout?: Timeout,
    options?: StoreOptions,
  ): Promise<string[]> {
    const { version, tags } = storeOptions('setMany', options);
    const failure = { operation: 'setMany' };
    const seconds = this.resolveTimeout(timeout, 'setMany()');
    const expiresAt = expiryOf(seconds);
    const rows = new Map<string, Row & { readonly ownKey: string }>();
    const pairs = toPairs(entries);
    for (const [ownKey, stored] of tags === undefined
      ? pairs
      : await this.allWithTags(pairs, tags)) {
      const key = this.makeAndValidateKey(ownKey, version);
      rows.set(key, { ownKey, key, value: this.codec.encodeBytes(stored, ownKey), expiresAt });
    }
    const unstorable = [...rows.values()].filter(({ key }) => !isStorableKey(key));
    for (const { key } of unstorable) rows.delete(key);
    const failed = unstorable.map(({ ownKey }) => ownKey);
    if (rows.size === 0) return failed;
    const place = this.#placeFor('write');
    const work = async () => {
      if (isExpiredAtOnce(seconds)) {
        await this.#attempt(place, failure, 0, () => place.table.delete([...rows.keys()]));
        return failed;
      }
      await this.#makeRoom(place, rows.size, failure);
      for (const part of statementsOf(rows.values())) {
        const isStored = await this.#attempt(place, failure, false, async () => {
          await place.table.upsert(part);
          return true;
        });
        if (!isStored) failed.push(...part.map(({ ownKey }) => ownKey));
      }
      return failed;
    };
    const all = [...failed, ...[...rows.values()].map(({ ownKey }) => ownKey)];
    return this.write(place.guard, failure, work, all);
  }

  override async add(
    key: string,
    value: unknown,
    timeout?: Timeout,
    options?: StoreOptions,
  ): Promise<boolean> {
    const { version, tags } = storeOptions('add', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const seconds = this.resolveTimeout(timeout, key);
    const stored = tags === undefined ? value : await this.withTags(value, tags, 'add', key);
    const bytes = this.codec.encodeBytes(stored, key);
    const failure = { operation: 'add', key };
    const place = this.#placeFor('write');
    const work = async () =>
      (await this.#add(place, finalKey, bytes, seconds, failure)) ||
      this.#storedIn(place, finalKey, failure);
    for (;;) {
      const answer = await this.write(place.guard, failure, work, false);
      if (typeof answer === 'boolean') return answer;
      // What is there may stand for no value.
      if ((await this.opened(finalKey, answer)) !== undefined) return false;
      const replace = () =>
        this.#attempt(place, failure, false, () =>
          this.#replace(place, finalKey, answer.head, bytes, seconds),
        );
      if (await this.write(place.guard, failure, replace, false)) return true;
    }
  }

  override async touch(key: string, timeout?: Timeout, options?: VersionOption): Promise<boolean> {
    const { version } = versionOptions('touch', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const seconds = this.resolveTimeout(timeout, key);
    const failure = { operation: 'touch', key };
    if (!isStorableKey(finalKey)) return false;
    const place = this.#placeFor('write');
    const work = async () => {
      await this.#makeRoom(place, 0, failure);
      return touch(true);
    };
    const touch = (isPlain: boolean) =>
      this.#attempt(place, failure, false, () =>
        isExpiredAtOnce(seconds)
          ? place.table.deleteLive(finalKey, Date.now(), isPlain)
          : place.table.touch(finalKey, expiryOf(seconds), Date.now(), isPlain),
      );
    const workOrFind = async () => (await work()) || this.#storedIn(place, finalKey, failure);
    const answer = await this.write(place.guard, failure, workOrFind, false);
    if (typeof answer === 'boolean') return answer;
    const isLive = (await this.opened(finalKey, answer)) !== undefined;
    return isLive && this.write(place.guard, failure, () => touch(false), false);
  }

  override async delete(key: string, options?: VersionOption): Promise<boolean> {
    const { version } = versionOptions('delete', options);
    const finalKey = this.makeAndValidateKey(key, version);
    if (!isStorableKey(finalKey)) return false;
    const { table, guard } = this.#placeFor('write');
    const work = async () => (await table.delete([finalKey])) > 0;
    return after(this.noteRemovals('delete', [key]), () =>
      this.write(guard, { operation: 'delete', key }, work, false),
    );
  }

  override async deleteMany(keys: Iterable<string>, options?: VersionOption): Promise<void> {
    const { version } = versionOptions('deleteMany', options);
    const unique = keysOf('deleteMany', keys);
    const all = new Set(unique.map((key) => this.makeAndValidateKey(key, version)));
    const finalKeys = [...all].filter(isStorableKey);
    if (finalKeys.length === 0) return;
    const { table, guard } = this.#placeFor('write');
    const work = async () => {
      for (const part of inParts(finalKeys)) await table.delete(part);
    };
    await after(this.noteRemovals('deleteMany', unique), () =>
      this.write(guard, { operation: 'deleteMany' }, work, undefined),
    );
  }

  override async incr(key: string, delta = 1, options?: VersionOption): Promise<number> {
    const { version } = versionOptions('incr', options);
    const finalKey = this.makeAndValidateKey(key, version);
    const operation = delta < 0 ? 'decr' : 'incr';
    const place = this.#placeFor('write');
    const work = () => this.#incr(place, key, finalKey, delta, operation);
    const sum = await this.write(place.guard, { operation, key }, work, undefined);
    if (sum === undefined) throw new CacheKeyNotFoundError(key, operation);
    return sum;
  }

  override async clear(): Promise<void> {
    const { table, guard } = this.#placeFor('write');
    await guard.run(() => table.clear(), this.writeTimeoutMs);
  }

  /** @internal */
  override async clearInSteps(onRemoved: (count: number) => void): Promise<void> {
    const { table, guard } = this.#placeFor('write');
    const step = async (work: () => Promise<number>): Promise<number> => {
      const removed = await guard.run(work, this.writeTimeoutMs);
      onRemoved(removed);
      return removed;
    };
    while ((await step(() => table.deleteLowest(CLEAR_STEP, true))) > 0);
    await step(() => table.clear());
  }

  override async close(): Promise<void> {
    await this.finishAll();
    for (const { guard } of this.#places.values()) guard.close();
    this.#places.clear();
    const databases = [...this.#databases];
    this.#databases.clear();
    await Promise.all(databases.map((database) => database.release(this)));
  }

  /** @internal */
  override async beginFill(key: string, { version }: VersionOption = {}): Promise<Fill> {
    const finalKey = this.makeKey(key, version);
    if (!isStorableKey(finalKey)) return {};
    const place = this.#placeFor('write');
    // Nobody sees a placeholder before the transaction is committed, and deletes it: so that what is
    // made is not stored. Elsewhere who deletes waits for the row.
    if (place.savepoints !== undefined) return {};
    const failure = { operation: 'getOrSet', key };
    const head = newHead();
    const work = async (): Promise<Fill> => {
      for (let attempt = 1; attempt <= FILL_ATTEMPTS; attempt += 1) {
        const isFree = await this.#add(place, finalKey, head, FILL_SECONDS, failure);
        if (isFree) return { token: head };
        const [row] = await place.table.find([finalKey], Date.now());
        if (row !== undefined && !row.isExpired) return { value: this.decode(row.value, failure) };
      }
      return {};
    };
    const { value, token } = await this.write<Fill>(place.guard, failure, work, {});
    return token === undefined ? this.fillOver(finalKey, value) : { token };
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
    const seconds = this.resolveTimeout(timeout, key);
    const bytes = stored === undefined ? undefined : this.codec.encodeBytes(stored, key);
    const place = this.#placeFor('write');
    const failure = { operation: 'getOrSet', key };
    const work = () =>
      this.#attempt(place, failure, true, async () => {
        if (bytes !== undefined) return this.#replace(place, finalKey, head, bytes, seconds);
        if (await place.table.deleteIf(finalKey, head)) return true;
        // What was purged softly is shown on.
        const found = await this.#storedIn(place, finalKey, failure);
        return found !== false && found.head.equals(head);
      });
    return this.write(place.guard, failure, work, true);
  }

  /** @internal */
  override async readCounters(keys: readonly string[]): Promise<Record<string, unknown>> {
    const finalKeys = keys.map((key) => this.makeKey(key));
    const primary = { place: this.#placeFor('write'), deadlineMs: this.readTimeoutMs };
    const found = await this.#find(finalKeys, { operation: 'getMany' }, primary);
    return collect(
      keys,
      finalKeys.map((finalKey) => found.get(finalKey)),
    );
  }

  /** @internal */
  override async getLatest(key: string, { version }: VersionOption): Promise<LatestValue> {
    const finalKey = this.makeAndValidateKey(key, version);
    const expected = this.expectedCounters(finalKey);
    const place = this.#placeFor('write');
    const found = await this.#find([finalKey], { operation: 'get', key }, undefined, place);
    return {
      stored: await this.opened(finalKey, found.get(finalKey), expected),
      leftMs: undefined,
    };
  }

  /** @internal */
  override async getFrozen(
    key: string,
    deadlineMs: number,
    isLatest = false,
  ): Promise<Uint8Array | undefined> {
    const finalKey = pageKey(this.makeKey(key));
    const place = this.#placeFor(isLatest ? 'write' : 'read');
    const found = await this.#find([finalKey], { operation: 'get', key }, { place, deadlineMs });
    const value = found.get(finalKey);
    return value instanceof Uint8Array ? value : undefined;
  }

  /** @internal */
  override async setFrozen(
    key: string,
    value: FrozenValue,
    timeout: Timeout,
    deadlineMs: number,
    token?: FillToken,
  ): Promise<boolean> {
    const finalKey = pageKey(this.makeKey(key));
    const seconds = this.resolveTimeout(timeout, key);
    const bytes = this.codec.encodeBytes(value.toBytes(), key);
    const place = this.#placeFor('write');
    const failure = { operation: 'set', key };
    const work = async () => {
      if (token !== undefined) {
        return this.#attempt(place, failure, true, () =>
          this.#replace(place, finalKey, token as Buffer, bytes, seconds),
        );
      }
      await this.#set(place, finalKey, bytes, seconds, failure);
      return true;
    };
    return place.guard.run(work, deadlineMs);
  }

  /** @internal */
  override async openFrozen(
    key: string,
    deadlineMs: number,
    wantsFound: boolean,
  ): Promise<FrozenPlace> {
    const finalKey = pageKey(this.makeKey(key));
    const place = this.#placeFor('write');
    const { table } = place;
    const failure = { operation: 'set', key };
    const head = newHead();
    const work = async (): Promise<FrozenPlace> => {
      for (let attempt = 1; attempt <= FILL_ATTEMPTS; attempt += 1) {
        const isFree = await this.#add(place, finalKey, head, PLACE_SECONDS, failure);
        if (isFree) return { token: head };
        const start = wantsFound
          ? undefined
          : await table.startOf(finalKey, Date.now(), PLACE_BYTES);
        if (start !== undefined) return { token: start };
        const [row] = await table.find([finalKey], Date.now());
        if (row === undefined || row.isExpired) continue;
        const found = this.decode(row.value, failure);
        return {
          found: found instanceof Uint8Array ? found : undefined,
          token: Buffer.from(row.value.subarray(0, PLACE_BYTES)),
        };
      }
      return {};
    };
    return place.guard.run(work, deadlineMs);
  }

  /** @internal */
  override async deleteFrozen(key: string, deadlineMs: number): Promise<boolean> {
    const finalKey = pageKey(this.makeKey(key));
    const { table, guard } = this.#placeFor('write');
    return guard.run(async () => (await table.delete([finalKey])) > 0, deadlineMs);
  }

  /** @internal */
  override async deleteFrozenMany(keys: readonly string[], deadlineMs: number): Promise<void> {
    const finalKeys = keys.map((key) => pageKey(this.makeKey(key)));
    const { table, guard } = this.#placeFor('write');
    const work = async () => {
      for (const part of inParts(finalKeys)) await table.delete(part);
    };
    await guard.run(work, deadlineMs);
  }

  /** @internal */
  override get messageScope(): string {
    return this.tableName;
  }

  /** @internal */
  override openMessages(): MessageBus | undefined {
    return this.#databaseFor('write').messages();
  }

  /** @internal */
  override get swapsLeases(): boolean {
    return true;
  }

  /** @internal */
  override async acquireLease(
    key: string,
    token: string,
    seconds: number,
    deadlineMs: number,
    version?: Version,
  ): Promise<boolean> {
    const place = this.#placeFor('write');
    const row = this.#leaseRow(key, token, seconds, version);
    const failure = { operation: 'add', key };
    const work = async () => {
      await this.#makeRoom(place, 1, failure);
      return this.#attempt(place, failure, false, () => place.table.add(row, SERVER_NOW));
    };
    return place.guard.run(work, deadlineMs);
  }

  /** @internal */
  override async readLease(key: string, deadlineMs: number, version?: Version): Promise<unknown> {
    const finalKey = pageKey(this.makeKey(key, version));
    const { table, guard } = this.#placeFor('write');
    const [row] = await guard.run(() => table.find([finalKey], SERVER_NOW), deadlineMs);
    if (row === undefined || row.isExpired) return undefined;
    return this.decode(row.value, { operation: 'get', key });
  }

  /** @internal */
  override async extendLease(
    key: string,
    token: string,
    seconds: number,
    deadlineMs: number,
    successor: string = token,
    version?: Version,
  ): Promise<boolean> {
    const { table, guard } = this.#placeFor('write');
    const row = this.#leaseRow(key, successor, seconds, version);
    const held = this.codec.encodeBytes(token, key);
    return guard.run(
      () => (seconds === 0 ? table.deleteIf(row.key, held) : table.swap(row, held, SERVER_NOW)),
      deadlineMs,
    );
  }

  #leaseRow(key: string, token: string, seconds: number, version: Version | undefined): Row {
    return {
      key: pageKey(this.makeKey(key, version)),
      value: this.codec.encodeBytes(token, key),
      expiresAt: { afterMs: seconds * 1000 },
    };
  }

  /** The live values of these keys. Pages have a deadline of their own, and want errors. */
  async #find(
    finalKeys: readonly string[],
    failure: CacheFailure,
    page?: { readonly place: Place; readonly deadlineMs: number },
    from?: Place,
  ): Promise<Map<string, unknown>> {
    const found = new Map<string, unknown>();
    const keys = finalKeys.filter(isStorableKey);
    if (keys.length === 0) return found;
    const { table, guard } = page?.place ?? from ?? this.#placeFor('read');
    const work = async () => {
      const rows: FoundRow[] = [];
      for (const part of inParts(keys)) rows.push(...(await table.find(part, Date.now())));
      return rows;
    };
    const rows =
      page === undefined
        ? await this.read(guard, failure, work, [])
        : await guard.run(work, page.deadlineMs);
    for (const { key, value, isExpired } of rows) {
      if (isExpired) continue;
      const decoded = this.decode(value, failure);
      if (decoded !== undefined) found.set(key, decoded);
    }
    const expired = rows.filter(({ isExpired }) => isExpired).map(({ key }) => key);
    if (expired.length > 0) {
      const removed = this.#removeExpired(expired, failure);
      // A page does not wait for it.
      if (page === undefined) await removed;
    }
    return found;
  }

  /** Never rejects: what was read is right without it. */
  async #removeExpired(keys: readonly string[], failure: CacheFailure): Promise<void> {
    try {
      const place = this.#placeFor('write');
      const work = async () => {
        for (const part of inParts(keys)) {
          await this.#apart(place, () => place.table.deleteExpiredOf(part, Date.now()));
        }
      };
      await place.guard.run(work, this.writeTimeoutMs);
    } catch (error) {
      this.report(error, failure);
    }
  }

  async #set(
    place: Place,
    finalKey: string,
    value: Buffer,
    seconds: number | null,
    failure: CacheFailure,
  ): Promise<void> {
    if (!isStorableKey(finalKey)) return;
    if (isExpiredAtOnce(seconds)) {
      await this.#attempt(place, failure, 0, () => place.table.delete([finalKey]));
      return;
    }
    await this.#makeRoom(place, 1, failure);
    const row = { key: finalKey, value, expiresAt: expiryOf(seconds) };
    await this.#attempt(place, failure, undefined, () => place.table.upsert([row]));
  }

  async #add(
    place: Place,
    finalKey: string,
    value: Buffer,
    seconds: number | null,
    failure: CacheFailure,
  ): Promise<boolean> {
    if (!isStorableKey(finalKey)) return false;
    // Nothing would be left to be stored: only the answer matters.
    if (isExpiredAtOnce(seconds)) {
      return this.#attempt(place, failure, false, async () => {
        const isLive = (await place.table.startOf(finalKey, Date.now())) !== undefined;
        if (!isLive) await place.table.deleteExpiredOf([finalKey], Date.now());
        return !isLive;
      });
    }
    await this.#makeRoom(place, 1, failure);
    const row = { key: finalKey, value, expiresAt: expiryOf(seconds) };
    return this.#attempt(place, failure, false, () => place.table.add(row, Date.now()));
  }

  /** The envelope that is there; `false`: there is something else, or nothing. */
  async #storedIn(
    { table }: Place,
    finalKey: string,
    failure: CacheFailure,
  ): Promise<Envelope | false> {
    if (!isStorableKey(finalKey)) return false;
    const start = await table.startOf(finalKey, Date.now());
    if (start === undefined || !isEnvelope(start)) return false;
    const [row] = await table.find([finalKey], Date.now());
    if (row === undefined || row.isExpired) return false;
    const stored = this.decode(row.value, failure);
    return stored instanceof Envelope && stored;
  }

  /** Replaces what is in this envelope, if it is still there. @returns whether it was */
  #replace(
    { table }: Place,
    finalKey: string,
    head: Buffer,
    value: Buffer,
    seconds: number | null,
  ): Promise<boolean> {
    if (isExpiredAtOnce(seconds)) return table.deleteIf(finalKey, head, true);
    const row = { key: finalKey, value, expiresAt: expiryOf(seconds) };
    return table.swap(row, head, Date.now(), true);
  }

  async #incr(
    { table }: Place,
    key: string,
    finalKey: string,
    delta: number,
    operation: string,
  ): Promise<number> {
    if (!isStorableKey(finalKey)) return this.addTo(key, undefined, delta, operation);
    // A default timeout of 0 or less ends the entry, as setting the sum would.
    const expiresAt = isExpiredAtOnce(this.defaultTimeout) ? 0 : expiryOf(this.defaultTimeout);
    if (this.#countsInPlace && Number.isSafeInteger(delta)) {
      const sum = await table.increment(finalKey, delta, expiresAt, Date.now());
      if (sum !== undefined) return sum;
    }
    // A fraction, or an error to tell. Another's sum in between makes us start again.
    for (;;) {
      const [row] = await table.find([finalKey], Date.now());
      const isLive = row !== undefined && !row.isExpired;
      const stored = isLive ? this.decode(row.value, { operation, key }) : undefined;
      const value = await this.opened(finalKey, stored);
      const sum = this.addTo(key, value, delta, operation);
      const next = { key: finalKey, value: this.codec.encodeBytes(sum, key), expiresAt };
      if (await table.swap(next, row!.value, Date.now())) return sum;
    }
  }

  /** Removes entries if there are too many. A write goes on if that fails, and tells of the cause. */
  async #makeRoom(place: Place, writes: number, failure: CacheFailure): Promise<void> {
    if (!this.#culling.isDue(writes)) return;
    await this.#attempt(place, failure, undefined, () => this.#culling.run(place.table, writes));
  }

  /** What `work` comes to, or `refused` if the database is there but will not do it (DB-10). */
  async #attempt<T>(
    place: Place,
    failure: CacheFailure,
    refused: T,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#apart(place, work);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // The site must not go on as if what it has written there were still to be committed.
      if (place.isInTransaction && endsTransaction(Object(error))) throw error;
      this.report(error, failure);
      return refused;
    }
  }

  #apart<T>({ savepoints }: Place, work: () => Promise<T>): Promise<T> {
    return savepoints === undefined ? work() : savepoints.run(work);
  }

  #placeFor(use: 'read' | 'write'): Place {
    const database = this.#databaseFor(use);
    const open = database.open(this);
    this.#databases.add(database);
    let place = this.#places.get(open);
    if (place === undefined) {
      place = this.#makePlace(open);
      this.#places.set(open, place);
    }
    return place;
  }

  #databaseFor(use: 'read' | 'write'): Database {
    if (this.#source === undefined) return routedDatabase(use, this.tableName);
    return typeof this.#source === 'string' ? databaseNamed(this.#source) : this.#source;
  }

  #makePlace(open: OpenDatabase): Place {
    // Before the deadline: a file that is written to by others is no server that has failed.
    const table = openTable(open, this.tableName, this.writeTimeoutMs * 0.9);
    const guard = new ServerGuard({
      name: open.title,
      maxPending: this.maxPending,
      probeTimeoutMs: this.readTimeoutMs,
      ping: () => table.ping(),
      isAnswer: (error) => !(error instanceof CacheUnavailableError),
    });
    const isInTransaction = open.kysely.isTransaction;
    const needsSavepoints = open.vendor === 'postgres' && isInTransaction;
    const savepoints = needsSavepoints ? new Savepoints(open.kysely) : undefined;
    return { table, guard, savepoints, isInTransaction };
  }
}

/** The final key of a page or a lease, or what stands in for one that a table cannot hold. */
function pageKey(finalKey: string): string {
  return isStorableKey(finalKey) ? finalKey : digestOf(finalKey);
}

/** Whether a live database said no to this write, as it does to one of two that race. */
function isRefusal(error: unknown): boolean {
  return !(
    error instanceof CacheUnavailableError ||
    error instanceof CacheValueError ||
    error instanceof InvalidCacheBackendError
  );
}

function* inParts(keys: readonly string[]): Generator<readonly string[]> {
  for (let i = 0; i < keys.length; i += MAX_ROWS) yield keys.slice(i, i + MAX_ROWS);
}

/** In the order of keys, so that two calls at once do not wait for each other in a circle. */
function* statementsOf<R extends Row>(rows: Iterable<R>): Generator<readonly R[]> {
  let part: R[] = [];
  let bytes = 0;
  for (const row of [...rows].sort((a, b) => (a.key < b.key ? -1 : 1))) {
    bytes += row.value.length;
    if (part.length === MAX_ROWS || (part.length > 0 && bytes > MAX_STATEMENT_BYTES)) {
      yield part;
      part = [];
      bytes = row.value.length;
    }
    part.push(row);
  }
  if (part.length > 0) yield part;
}
