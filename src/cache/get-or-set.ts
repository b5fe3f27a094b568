import { Envelope, newHead } from './envelope';
import type { Version } from './keys';
import type { MaybePromise } from './maybe-promise';
import { type Flight, SingleFlight } from './single-flight';
import type { SoftPurges } from './soft-purges';
import { tagNames } from './tag-names';
import type { Counters, Noted, Tags } from './tags';
import type { Timeout } from './timeouts';
import { warnSeldom } from './warn-seldom';

/** After which a fill that nobody ended is forgotten, and what comes of it not stored, in seconds. */
export const FILL_SECONDS = 3600;

/** Tells this fill of a key from others, for as long as nobody else changes what is there. */
export type FillToken = Buffer | object | undefined;

/** What is known as a value begins to be made. */
export interface Fill {
  /** A live value that is there after all. */
  readonly value?: unknown;
  /** `undefined`: nothing shows whether the key is changed meanwhile. */
  readonly token?: FillToken;
  /** Whether it is another's as well, who perhaps comes to a value where this fill does not. */
  readonly isShared?: boolean;
}

/** What is asked of the cache that is filled. */
export interface FilledCache {
  readonly tags: Tags;
  readonly softPurges: SoftPurges;
  /** Has `close()` wait for `work`. */
  finishBeforeClose(work: Promise<unknown>): void;
  get(key: string, fallback: undefined, options: FillPlace): Promise<unknown>;
  beginFill(key: string, options: FillPlace): MaybePromise<Fill>;
  endFill(
    key: string,
    token: FillToken,
    stored: unknown,
    timeout: Timeout,
    options: FillPlace,
  ): MaybePromise<boolean>;
  /** `miss` in place of a failure, where those are misses. */
  orMiss<T>(operation: string, key: string, work: () => MaybePromise<T>, miss: T): MaybePromise<T>;
}

interface FillPlace {
  readonly version?: Version;
}

/** What is to be made, and how it is to be stored. */
export interface Recipe {
  readonly key: string;
  readonly finalKey: string;
  readonly make: () => unknown;
  readonly timeout: Timeout;
  readonly version: Version | undefined;
  readonly tags: readonly string[] | ((value: never) => readonly string[]) | undefined;
  /** Whether what was purged softly will not do. */
  readonly mustBeCurrent?: boolean;
}

/** What came of a flight. */
interface Made {
  readonly value: unknown;
  /** Whether what it was made of had not been purged or replaced as it ended. */
  readonly isCurrent: boolean;
}

/** Makes values that are missing, each once for all in this process who ask at the time. */
export class GetOrSet {
  readonly #cache: FilledCache;
  readonly #flights = new SingleFlight<Made>();

  constructor(cache: FilledCache) {
    this.#cache = cache;
  }

  async run(recipe: Recipe): Promise<unknown> {
    const { key, finalKey, version, mustBeCurrent = false } = recipe;
    const cache = this.#cache;
    for (let isLater = false; ; isLater = true) {
      const flight = this.#flights.join(finalKey);
      const { phase } = flight;
      try {
        const found = await cache.get(key, undefined, { version });
        const isStale = found !== undefined && cache.softPurges.has(finalKey);
        if (found !== undefined && !(isStale && mustBeCurrent)) {
          if (isStale) this.#makeAnew(flight, recipe);
          return found;
        }
        const { value, isCurrent } = await flight.run((ending) => this.#make(recipe, ending));
        // Who came while it was under way, after a purge perhaps, must not get what is older. All
        // that is under way after that began later.
        if (isLater || phase === 'to-begin' || (phase === 'under-way' && isCurrent)) {
          // Read again: another process may have won the race, and each caller must get its own copy.
          const stored = await cache.get(key, undefined, { version });
          const isOld = mustBeCurrent && cache.softPurges.has(finalKey);
          return isOld ? value : (stored ?? value);
        }
      } finally {
        flight.leave();
      }
    }
  }

  /** Makes in the background what is shown for the time being. */
  #makeAnew(flight: Flight<Made>, recipe: Recipe): void {
    if (flight.phase !== 'to-begin') return;
    flight.enter();
    const refreshed = flight
      .run((ending) => this.#make(recipe, ending))
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        warnSeldom(
          'refresh',
          `getOrSet(${JSON.stringify(recipe.key)}) could not make anew what was purged softly: ${reason}`,
          { type: 'CacheRefreshWarning', code: 'CACHEWRIGHT_REFRESH' },
        );
      })
      .finally(() => flight.leave());
    this.#cache.finishBeforeClose(refreshed);
  }

  async #make(recipe: Recipe, ending: () => void): Promise<Made> {
    const { key, finalKey, version, tags } = recipe;
    const cache = this.#cache;
    const [noted, fill] = await Promise.all([
      // First: tags that are none are an error before anything is under way.
      tags === undefined ? undefined : this.#note(recipe),
      cache.beginFill(key, { version }),
    ]);
    if (fill.value !== undefined) {
      cache.softPurges.forget(finalKey);
      return { value: fill.value, isCurrent: false };
    }
    const abandon = (): MaybePromise<boolean> =>
      fill.isShared ? false : cache.endFill(key, fill.token, undefined, undefined, { version });
    const end = async (stored: unknown): Promise<boolean> => {
      if (stored === undefined) return abandon();
      try {
        return await cache.endFill(key, fill.token, stored, recipe.timeout, { version });
      } catch (error) {
        // What cannot be stored is no more in the way than what was not made.
        await Promise.resolve(abandon()).catch(() => {});
        throw error;
      }
    };
    let value: unknown;
    let counters: Counters | undefined;
    try {
      value = await recipe.make();
      ending();
      if (noted && value !== undefined) counters = await this.#confirm(recipe, noted, value);
    } catch (error) {
      ending();
      // Why it failed is worth more.
      await end(undefined).catch(() => {});
      throw error;
    }
    if (value === undefined || tags === undefined) return { value, isCurrent: await end(value) };
    if (counters === undefined) {
      await end(undefined);
      // Where the counters cannot be reached, nobody can be told apart.
      return { value, isCurrent: noted === undefined };
    }
    const isCurrent = await end(tagged(value, counters));
    if (isCurrent) cache.softPurges.forget(finalKey);
    return { value, isCurrent };
  }

  #note({ key, tags }: Recipe): MaybePromise<Noted | undefined> {
    const names = typeof tags === 'function' ? [] : tagNames(tags!, 'getOrSet()');
    return this.#cache.orMiss('getOrSet', key, () => this.#cache.tags.note(names), undefined);
  }

  #confirm(
    { key, tags }: Recipe,
    noted: Noted,
    value: unknown,
  ): MaybePromise<Counters | undefined> {
    const late = typeof tags === 'function' ? tagNames(tags(value as never), 'getOrSet()') : [];
    return this.#cache.orMiss(
      'getOrSet',
      key,
      () => this.#cache.tags.confirm(noted, late),
      undefined,
    );
  }
}

/** What to store for a value that has these tags. */
export function tagged(value: unknown, counters: Counters): unknown {
  return counters.size === 0 ? value : new Envelope(newHead(), { value, counters });
}
