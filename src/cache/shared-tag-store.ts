import { CacheKeyNotFoundError, CacheValueError } from '../errors';
import { isOfRemoval } from './tag-names';
import { CLOCK, counterIn, newBeginning, PURGES, type PurgeMode, type TagStore } from './tags';

/** What is asked of the cache that keeps the counters. */
export interface CounterCache {
  /** Whether `incr` is atomic among all who share the store. */
  readonly countsAtomically: boolean;
  /** What is under these keys; under {@link HISTORY}, what tells apart the histories it can have. */
  readCounters(keys: readonly string[]): Promise<Record<string, unknown>>;
  add(key: string, value: unknown, timeout: number | null): Promise<boolean>;
  set(key: string, value: unknown, timeout: number | null): Promise<void>;
  setMany(
    entries: Readonly<Record<string, unknown>>,
    timeout: number | null,
  ): Promise<readonly string[]>;
  incr(key: string, delta: number): Promise<number>;
  touch(key: string, timeout: number | null): Promise<boolean>;
}

/**
 * Where the answer has a number, below 2^36, by which its server tells that the history of its data
 * is another one: that of a replica which has taken over, or of a copy that was loaded. Purges may be
 * missing in it, and so all counters count as changed.
 */
export const HISTORY = 'cachewright.history';

/** How long a tag of the site's own is remembered that nobody purges, in seconds: a month. */
const TAG_SECONDS = 30 * 24 * 3600;

/** A counter may be gone again by the time it is read, but hardly twice. */
const MAKING_ATTEMPTS = 3;

/** How long it is known what was purged: no fill takes longer. */
const LOG_SECONDS = 3600;

/** Counters as entries of the cache whose entries they are of, in whichever processes use it. */
export class SharedTagStore implements TagStore {
  readonly sequence = undefined;
  readonly changes = undefined;
  readonly #cache: CounterCache;
  /** Counters being made: of many fills that begin at once, one makes those that are missing. */
  readonly #making = new Map<string, Promise<number>>();
  /** That of the last answer. */
  #history = 0;

  constructor(cache: CounterCache) {
    this.#cache = cache;
  }

  /** What does not count atomically is no server, and reads one counter after the other. */
  get countsPurges(): boolean {
    return !this.#cache.countsAtomically;
  }

  async read(names: readonly string[]): Promise<(number | undefined)[]> {
    const found = await this.#cache.readCounters(names.map(keyOf));
    const history = asCounter(found[HISTORY]) ?? 0;
    this.#history = history;
    return names.map((name) => {
      const value = asCounter(found[keyOf(name)]);
      return value === undefined ? undefined : inHistory(history, name, value);
    });
  }

  make(name: string): Promise<number> {
    let making = this.#making.get(name);
    if (making === undefined) {
      making = this.#make(name).finally(() => this.#making.delete(name));
      this.#making.set(name, making);
    }
    return making;
  }

  async #make(name: string): Promise<number> {
    const key = keyOf(name);
    const value = newBeginning();
    for (let i = 0; i < MAKING_ATTEMPTS; i += 1) {
      if (await this.#cache.add(key, value, secondsOf(name))) {
        // Made in a history that is over by now, it is one more that has changed.
        return inHistory(this.#history, name, value);
      }
      const [standing] = await this.read([name]);
      if (standing !== undefined) return standing;
      // Something that is no number stands there. Left alone, it would keep its entries from being
      // stored. Whoever read it has noted nothing, so no entry depends on it.
      if (i === MAKING_ATTEMPTS - 2) await this.#cache.set(key, newBeginning(), secondsOf(name));
    }
    throw new Error(`The counter ${key} can neither be stored nor found.`);
  }

  async advance(names: readonly string[], mode: PurgeMode): Promise<void> {
    // Two that count at once may come to the same, and one of them be lost.
    if (mode === 'soft' && this.#cache.countsAtomically) {
      await Promise.all(names.map((name) => this.#countOrBegin(name)));
      return;
    }
    const groups = [names.filter(isOwn), names.filter((name) => !isOwn(name))];
    await Promise.all(groups.map((group) => this.#beginAnew(group)));
    // Who reads does not look at those.
    if (this.countsPurges && !names.every(isOfRemoval)) await this.#beginAnew([PURGES]);
  }

  async log(names: readonly string[]): Promise<void> {
    if (!this.#cache.countsAtomically) {
      // Two that count at once may come to the same: then it is only known that there was a purge.
      await this.#beginAnew([CLOCK]);
      return;
    }
    const value = await this.#countOrBegin(CLOCK);
    // A clock that began anew tells every fill under way that it knows nothing.
    if (value !== undefined) await this.#cache.set(logKey(value), names, LOG_SECONDS);
  }

  async readLog(values: readonly number[]): Promise<(readonly string[] | undefined)[]> {
    const found = await this.#cache.readCounters(values.map(logKey));
    return values.map((value) => {
      const names = found[logKey(value)];
      return Array.isArray(names) ? (names as string[]) : undefined;
    });
  }

  async #beginAnew(names: readonly string[]): Promise<void> {
    const [first] = names;
    if (first === undefined) return;
    const entries = Object.fromEntries(names.map((name) => [keyOf(name), newBeginning()]));
    const failed = await this.#cache.setMany(entries, secondsOf(first));
    if (failed.length > 0) throw new Error(`${failed.length} tags could not be purged.`);
  }

  /** One more; `undefined` if there was no such counter, and one begins. */
  async #countOrBegin(name: string): Promise<number | undefined> {
    const key = keyOf(name);
    try {
      const value = await this.#cache.incr(key, 1);
      // Counting may have given it the timeout of any other entry.
      await this.#cache.touch(key, secondsOf(name));
      return value;
    } catch (error) {
      const isNoNumber = error instanceof CacheValueError;
      if (!isNoNumber && !(error instanceof CacheKeyNotFoundError)) throw error;
    }
    // What has expired by the clock of this machine may be in use yet by that of another. And where
    // errors are misses, it is perhaps only out of reach: then this fails, and so does the purge.
    await this.#beginAnew([name]);
    return undefined;
  }
}

function keyOf(name: string): string {
  return `cachewright.tag.${name}`;
}

function logKey(value: number): string {
  return `cachewright.purge.${value}`;
}

/** Whether it is a tag or group of the site's own, of which there is no end; of others are few. */
function isOwn(name: string): boolean {
  return /^[thg]\./.test(name);
}

function secondsOf(name: string): number | null {
  return isOwn(name) ? TAG_SECONDS : null;
}

/** The clock is compared by how far it is on; what goes by it bears other counters as well. */
function inHistory(history: number, name: string, value: number): number {
  return history === 0 || name === CLOCK ? value : counterIn(history, value);
}

function asCounter(value: unknown): number | undefined {
  return Number.isSafeInteger(value) ? (value as number) : undefined;
}
