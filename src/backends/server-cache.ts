import { LRUCache } from 'lru-cache';
import { BaseCache, type CacheParams, type CounterValues } from '../cache/base-cache';
import type { Deadline } from '../cache/deadline';
import { Envelope } from '../cache/envelope';
import { tagged } from '../cache/get-or-set';
import type { MaybePromise } from '../cache/maybe-promise';
import { tagNames } from '../cache/tag-names';
import type { Validity } from '../cache/tags';
import { type SerializerOption, ValueCodec } from '../cache/value-codec';
import { warnSeldom } from '../cache/warn-seldom';
import type { ServerGuard } from './server-guard';

/** What a cache on a server tells of a failure that it took for a miss. */
export interface CacheFailure {
  /** The method that failed: `get`, `setMany`, … */
  readonly operation: string;
  /** The caller's key, where there is one. */
  readonly key?: string;
}

/** Options of the backends that keep their entries on servers. */
export interface ServerOptions {
  /**
   * Milliseconds within which a server must have answered a read (`get`, `getMany`, `hasKey`).
   * Pages have limits of their own, `readTimeoutMs` and `writeTimeoutMs` of the page cache.
   *
   * @defaultValue 1000
   */
  readonly readTimeoutMs?: number;

  /** Milliseconds within which a server must have done a write. @defaultValue 1000 */
  readonly writeTimeoutMs?: number;

  /**
   * Operations that may be under way on a server at the same time. What goes beyond fails at once.
   *
   * @defaultValue 10 000
   */
  readonly maxPending?: number;

  /**
   * What callers get when a server fails. `'throw'`: the error, as in Django. `'miss'`: what they
   * would get if there were no entry; nothing is stored then, and `incr` throws
   * {@link CacheKeyNotFoundError}. `clear()` throws either way. Pages treat failures as misses
   * without it.
   *
   * @defaultValue 'throw'
   */
  readonly onError?: 'throw' | 'miss';

  /**
   * Told of each failure that was taken for a miss, and of each entry that cannot be read.
   *
   * @defaultValue a process warning, `CACHEWRIGHT_SERVER`, once a minute
   */
  readonly onFailure?: (error: unknown, failure: CacheFailure) => void;

  /** How values become bytes. @defaultValue 'msgpack' */
  readonly serializer?: SerializerOption;
}

/** Keys whose tags are remembered, so that both are read in one round trip. */
const MAX_REMEMBERED = 10_000;

const DEFAULTS = { readTimeoutMs: 1000, writeTimeoutMs: 1000, maxPending: 10_000 };

/** What the backends share that keep their entries on servers: Redis, Memcached, database. */
export abstract class ServerCache extends BaseCache {
  override readonly isShared = true;
  /** @internal */
  override readonly keepsTags: boolean = true;
  protected readonly codec: ValueCodec;
  protected readonly readTimeoutMs: number;
  protected readonly writeTimeoutMs: number;
  protected readonly maxPending: number;
  readonly #missesOnError: boolean;
  /** Tags of the entries that were read, by their final keys. */
  #remembered: LRUCache<string, readonly string[]> | undefined;
  readonly #onFailure: (error: unknown, failure: CacheFailure) => void;

  /** @throws TypeError if a setting makes no sense. */
  constructor(location: unknown, params: CacheParams = {}) {
    super(location, params);
    const options = (params.options ?? {}) as ServerOptions;
    this.codec = new ValueCodec(options.serializer);
    this.readTimeoutMs = positive(options, 'readTimeoutMs');
    this.writeTimeoutMs = positive(options, 'writeTimeoutMs');
    this.maxPending = positive(options, 'maxPending');
    const { onError = 'throw', onFailure = warnOfFailure } = options;
    if (onError !== 'throw' && onError !== 'miss') {
      throw new TypeError(`options.onError is ${JSON.stringify(onError)}. Give 'throw' or 'miss'.`);
    }
    if (typeof onFailure !== 'function') {
      throw new TypeError(`options.onFailure is ${String(onFailure)}. Give a function.`);
    }
    this.#missesOnError = onError === 'miss';
    this.#onFailure = onFailure;
  }

  /** @internal */
  override get valueCodec(): ValueCodec {
    return this.codec;
  }

  /** @internal */
  override get hidesFailures(): boolean {
    return this.#missesOnError;
  }

  /** Reads within the deadline of reads; `miss` stands in for an error if errors are misses. */
  protected read<T>(
    guard: ServerGuard,
    failure: CacheFailure,
    work: (deadline: Deadline) => Promise<T>,
    miss: T,
  ): Promise<T> {
    return this.#orMiss(guard.run(work, this.readTimeoutMs), failure, miss);
  }

  /** Writes within the deadline of writes; `miss` as in {@link ServerCache.read}. */
  protected write<T>(
    guard: ServerGuard,
    failure: CacheFailure,
    work: (deadline: Deadline) => Promise<T>,
    miss: T,
  ): Promise<T> {
    return this.#orMiss(guard.run(work, this.writeTimeoutMs), failure, miss);
  }

  /** @internal */
  override orMiss<T>(
    operation: string,
    key: string,
    work: () => MaybePromise<T>,
    miss: T,
  ): MaybePromise<T> {
    return this.#orMiss((async () => work())(), { operation, key }, miss);
  }

  /** @internal */
  protected override withTags(
    value: unknown,
    tags: readonly string[] | undefined,
    operation: string,
    key: string,
  ): MaybePromise<unknown> {
    if (tags === undefined) return value;
    const names = tagNames(tags, `${operation}()`);
    const work = () => super.withTags(value, tags, operation, key);
    // Of what nobody can tell whether it is purged, it is taken to be.
    const unknown = new Map(names.map((name) => [name, Number.NaN]));
    return this.orMiss(operation, key, work, tagged(value, unknown));
  }

  /** What to store for all of these, whose tags are noted at once. @internal */
  protected async allWithTags(
    pairs: readonly (readonly [string, unknown])[],
    tags: readonly string[],
  ): Promise<(readonly [string, unknown])[]> {
    const [first] = pairs;
    if (first === undefined) return [];
    const noted = await this.withTags(undefined, tags, 'setMany', first[0]);
    const { counters } = (noted instanceof Envelope && noted.content) || { counters: new Map() };
    return pairs.map(([key, value]) => [key, tagged(value, counters)]);
  }

  /**
   * Begins to read the counters of an entry that is read at the same time, as far as its tags are
   * known.
   *
   * @internal
   */
  protected expectedCounters(finalKey: string): Promise<CounterValues> | undefined {
    const names = this.#remembered?.get(finalKey);
    if (names === undefined) return undefined;
    const counters = (async () => this.tags.read(names))();
    // Perhaps the entry is not there, and nobody asks.
    counters.catch(() => {});
    return counters;
  }

  /**
   * {@link BaseCache.opened} for many, with one look at the counters of all.
   *
   * @internal
   */
  protected async openedMany(
    finalKeys: readonly string[],
    stored: readonly unknown[],
  ): Promise<readonly unknown[]> {
    const names = new Set<string>();
    for (const found of stored) {
      if (!(found instanceof Envelope)) continue;
      for (const name of found.content?.counters.keys() ?? []) names.add(name);
    }
    const counters = names.size === 0 ? undefined : (async () => this.tags.read([...names]))();
    return Promise.all(stored.map((found, i) => this.opened(finalKeys[i]!, found, counters)));
  }

  /** @internal */
  protected override validityOf(
    finalKey: string,
    envelope: Envelope,
    expected?: MaybePromise<CounterValues>,
  ): MaybePromise<Validity> {
    const { counters } = envelope.content ?? {};
    if (counters === undefined || counters.size === 0) return super.validityOf(finalKey, envelope);
    this.#remembered ??= new LRUCache({ max: MAX_REMEMBERED });
    this.#remembered.set(finalKey, [...counters.keys()]);
    const work = () => super.validityOf(finalKey, envelope, expected);
    return this.orMiss('get', finalKey, work, 'purged');
  }

  /** The value of these bytes; one that cannot be read is reported, and a miss. */
  protected decode(bytes: Buffer, failure: CacheFailure): unknown {
    try {
      return this.codec.decodeBytes(bytes);
    } catch (error) {
      this.report(error, failure);
      return undefined;
    }
  }

  /** Tells of a failure. Never throws: a hook that is broken, too, must not cost the caller. */
  protected report(error: unknown, failure: CacheFailure): void {
    try {
      const reported: unknown = this.#onFailure(error, failure);
      if (reported instanceof Promise) {
        reported.catch((hookError: unknown) => warnOfFailure(hookError, failure));
      }
    } catch (hookError) {
      warnOfFailure(hookError, failure);
    }
  }

  async #orMiss<T>(work: Promise<T>, failure: CacheFailure, miss: T): Promise<T> {
    if (!this.#missesOnError) return work;
    try {
      return await work;
    } catch (error) {
      this.report(error, failure);
      return miss;
    }
  }
}

function positive(options: ServerOptions, name: keyof typeof DEFAULTS): number {
  const value = options[name] ?? DEFAULTS[name];
  if (Number.isFinite(value) && value > 0) return value;
  throw new TypeError(`options.${name} is ${JSON.stringify(value)}. Give a number above 0.`);
}

function warnOfFailure(error: unknown, { operation, key }: CacheFailure): void {
  const message = error instanceof Error ? error.message : String(error);
  const what = key === undefined ? operation : `${operation}(${JSON.stringify(key)})`;
  warnSeldom(`server ${operation}`, `${what} was taken for a miss: ${message}`, {
    type: 'CacheServerWarning',
    code: 'CACHEWRIGHT_SERVER',
  });
}
