import { LRUCache } from 'lru-cache';
import { after, type MaybePromise } from './maybe-promise';

/** Keeps the counters of tags: one for each, which every purge changes. */
export interface TagStore {
  /**
   * Stands still while every entry found valid still is, in the memory of this process;
   * `undefined` where others may purge.
   */
  readonly sequence: number | undefined;
  /**
   * Stands still while no counter is changed or lost, in the memory of this process; `undefined`
   * where others may change them.
   */
  readonly changes: number | undefined;
  /**
   * Whether a purge changes {@link PURGES}, too, once all else is done, so that there is one counter
   * to look at where each takes a look-up of its own.
   */
  readonly countsPurges: boolean;
  /** The counters of these names, `undefined` for those that are missing. */
  read(names: readonly string[]): MaybePromise<readonly (number | undefined)[]>;
  /** Makes a counter that is missing, unless another was faster. @returns the one that stands */
  make(name: string): MaybePromise<number>;
  /** Changes these counters, hard or soft. */
  advance(names: readonly string[], mode: PurgeMode): MaybePromise<void>;
  /** Advances the clock, and notes by its new value which names are purged, if it can. */
  log(names: readonly string[]): MaybePromise<void>;
  /** Names purged by this value of the clock; `undefined`: not known, or not any more. */
  readLog(values: readonly number[]): MaybePromise<readonly (readonly string[] | undefined)[]>;
}

/** Counters by name, as they stood when a fill began. */
export type Counters = ReadonlyMap<string, number>;

/** What was known of an entry's tags before whoever fills it read any data. */
export interface Noted {
  readonly counters: Counters;
  /** Stands still while no tag of the site's own is purged. */
  readonly clock: number;
  /** See {@link TagStore.changes}. */
  readonly changes: number | undefined;
}

/**
 * Whether an entry may still be used: `'stale'`, after a soft purge, once more at most, while it is
 * made anew.
 */
export type Validity = 'valid' | 'stale' | 'purged';

/** How a purge is meant: whether what is purged may be shown once more while it is made anew. */
export type PurgeMode = 'hard' | 'soft';

/** The counter that counts purges of tags. */
export const CLOCK = 'clock';

/** The counter that every purge changes, where there is one. */
export const PURGES = 'purges';

/** Sets of counters that are remembered as valid. */
const MAX_REMEMBERED = 10_000;

/**
 * A counter counts soft purges in its lower part; a hard purge makes it begin anew. Should the soft
 * ones run over into the rest, more is purged than was meant, never less.
 */
const HARD = 2 ** 16;

const BEGINNINGS = 2 ** 36;

/**
 * Where a counter begins: at random, so that one that was lost or purged never comes back to where
 * it was, and that purges need not wait for each other.
 */
export function newBeginning(): number {
  return Math.floor(Math.random() * BEGINNINGS) * HARD;
}

/**
 * A counter as it counts in one history of its server's data: in another one, where it may have gone
 * back to what it was before a purge, it has begun anew.
 *
 * @param history - Tells histories apart; below 2^36.
 */
export function counterIn(history: number, value: number): number {
  const soft = value % HARD;
  const beginning = (value - soft) / HARD;
  return ((beginning + history) % BEGINNINGS) * HARD + soft;
}

const NOTHING: Pick<Noted, 'counters'> = { counters: new Map() };

/** Purges during one fill up to which it is found out whether they concern it. */
const MAX_LOG = 64;

/**
 * Purges that cannot be lost. An entry bears the counters of its tags as they stood before the data
 * was read that it is made of; it is valid as long as they stand so. A purge changes them. So an
 * entry made of old data is invalid although it is stored after the purge, whatever the clocks of
 * the machines say. A counter that is missing makes its entries invalid: what is evicted or lost
 * purges too much, never too little.
 *
 * Tags that are not known before the fill are taken in at its end, if the clock says that none of
 * them was purged meanwhile.
 */
export class Tags {
  /** Where its counters are. */
  readonly store: TagStore;
  /** What the counter of purges was as these counters, spelt out, were found to be valid. */
  readonly #validAt = new LRUCache<string, number>({
    // `max` would take the memory for all of them at once.
    maxSize: MAX_REMEMBERED,
    sizeCalculation: () => 1,
  });

  constructor(store: TagStore) {
    this.store = store;
  }

  /**
   * What to read while an entry is read that is likely to have these tags, for
   * {@link Tags.checkRead}.
   */
  namesToRead(names: readonly string[]): readonly string[] {
    return this.store.countsPurges ? [PURGES] : names;
  }

  /** See {@link TagStore.sequence}. */
  get sequence(): number | undefined {
    return this.store.sequence;
  }

  /** The counters of these tags as they stand; `undefined` for those that are missing. */
  read(names: readonly string[]): MaybePromise<ReadonlyMap<string, number | undefined>> {
    return after(this.store.read(names), (values) => new Map(zip(names, values)));
  }

  /** Notes the counters of these tags before a fill reads its data, and makes those missing. */
  note(names: readonly string[]): MaybePromise<Noted> {
    const own = this.store.countsPurges ? [CLOCK, PURGES] : [CLOCK];
    const all = [...new Set([...own, ...names])];
    return after(this.store.read(all), (values) => this.#complete(all, values));
  }

  /**
   * What an entry is to bear whose fill has ended, and whose tags are those noted and `late` ones.
   *
   * @returns `undefined` if one of them was purged since.
   */
  confirm(noted: Noted, late: readonly string[]): MaybePromise<Counters | undefined> {
    const { counters, clock, changes } = noted;
    const added = late.filter((name) => !counters.has(name));
    const isUnchanged = changes !== undefined && changes === this.store.changes;
    if (isUnchanged && added.length === 0) return counters;
    // The clock is read after the counters: a purge that it does not tell of advances them later.
    const addedNow = added.length === 0 ? NOTHING : this.note(added);
    return after(addedNow, ({ counters: lateCounters }) => {
      const names = [CLOCK, ...counters.keys()];
      return after(this.store.read(names), ([now, ...values]) => {
        const noted = [...counters.values()];
        if (values.some((value, i) => value !== noted[i])) return undefined;
        const all = new Map([...counters, ...lateCounters]);
        if (now === clock || added.length === 0) return all;
        return after(this.#isPurgedBetween(clock, now, added), (isPurged) =>
          isPurged ? undefined : all,
        );
      });
    });
  }

  /** Whether an entry that bears these counters may be used. */
  check(borne: Counters): MaybePromise<Validity> {
    return after(this.read([...borne.keys()]), (current) => validityOf(borne, current));
  }

  /**
   * {@link Tags.check}, of which `current` may spare the reading.
   *
   * @param current - Read after the entry was asked for, or at the same time.
   */
  checkRead(
    borne: Counters,
    current: ReadonlyMap<string, number | undefined>,
  ): MaybePromise<Validity> {
    if (!this.store.countsPurges) {
      const isKnown = [...borne.keys()].every((name) => current.has(name));
      return isKnown ? validityOf(borne, current) : this.check(borne);
    }
    const purges = current.get(PURGES);
    const spelt = [...borne].join();
    if (purges !== undefined && this.#validAt.get(spelt) === purges) return 'valid';
    return after(this.check(borne), (validity) => {
      // A purge that these were read before changes the counter of purges later.
      if (validity === 'valid' && purges !== undefined) this.#validAt.set(spelt, purges);
      return validity;
    });
  }

  /**
   * Purges all entries that have one of these tags. Once it is fulfilled nobody finds them any more.
   *
   * @param isLate - Whether fills may learn of these tags only while they are at it.
   */
  purge(names: readonly string[], mode: PurgeMode, isLate: boolean): MaybePromise<void> {
    if (names.length === 0) return;
    const advance = () => this.store.advance(names, mode);
    if (!isLate) return advance();
    const log = () => this.store.log(names);
    // Twice: who has noted the clock after it told of this purge must not come upon an entry from
    // before; and the counters that are noted before that must not stand.
    return after(after(advance(), log), advance);
  }

  /**
   * Tells the fills under way of these pages that they were removed by their keys, before they are:
   * none of the fills stores what it makes. Pages that are stored stay as they are.
   */
  noteRemovals(names: readonly string[]): MaybePromise<void> {
    return this.store.advance(names, 'hard');
  }

  #complete(
    names: readonly string[],
    values: readonly (number | undefined)[],
  ): MaybePromise<Noted> {
    const made: MaybePromise<number>[] = names.map((name, i) => {
      const value = values[i];
      return value ?? this.store.make(name);
    });
    const finish = (all: readonly number[]): Noted => {
      const counters = new Map(zip(names, all));
      const clock = counters.get(CLOCK)!;
      counters.delete(CLOCK);
      counters.delete(PURGES);
      return { counters, clock, changes: this.store.changes };
    };
    return made.some((value) => value instanceof Promise)
      ? Promise.all(made).then(finish)
      : finish(made as number[]);
  }

  #isPurgedBetween(
    from: number,
    to: number | undefined,
    names: readonly string[],
  ): MaybePromise<boolean> {
    // A clock that was lost or set back tells nothing.
    if (to === undefined || to < from || to - from > MAX_LOG) return true;
    const values = Array.from({ length: to - from }, (_, i) => from + i + 1);
    return after(this.store.readLog(values), (purges) =>
      purges.some((purged) => purged === undefined || purged.some((name) => names.includes(name))),
    );
  }
}

/** What the counters of today say of those that an entry bears. */
export function validityOf(
  borne: Counters,
  current: ReadonlyMap<string, number | undefined>,
): Validity {
  let validity: Validity = 'valid';
  for (const [name, value] of borne) {
    const now = current.get(name);
    if (now === value) continue;
    if (now === undefined || Math.floor(now / HARD) !== Math.floor(value / HARD)) return 'purged';
    validity = 'stale';
  }
  return validity;
}

function zip<T>(names: readonly string[], values: readonly T[]): [string, T][] {
  return names.map((name, i) => [name, values[i]!]);
}
