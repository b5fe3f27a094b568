import { LRUCache } from 'lru-cache';
import { isOfRemoval } from '../cache/tag-names';
import { CLOCK, newBeginning, type PurgeMode, type TagStore } from '../cache/tags';

/** Counters that are remembered; entries of those that are forgotten count as purged. */
const MAX_COUNTERS = 200_000;

/** Purges of which it is remembered what they concerned. */
const MAX_LOGGED = 1000;

/** Counters in the memory of this process, read at once. */
export class LocalTagStore implements TagStore {
  readonly #counters: LRUCache<string, number>;
  readonly #log = new LRUCache<number, readonly string[]>({ max: MAX_LOGGED });
  /** Stands still while every entry found valid still is. */
  sequence = 0;
  changes = 0;
  readonly countsPurges = false;

  constructor() {
    this.#counters = new LRUCache({
      // `max` would take the memory for all of them at once.
      maxSize: MAX_COUNTERS,
      sizeCalculation: () => 1,
      dispose: (_value, _name, reason) => {
        if (reason !== 'evict') return;
        this.sequence += 1;
        this.changes += 1;
      },
    });
  }

  read(names: readonly string[]): (number | undefined)[] {
    return names.map((name) => this.#counters.get(name));
  }

  make(name: string): number {
    const standing = this.#counters.get(name);
    if (standing !== undefined) return standing;
    const value = newBeginning();
    this.#counters.set(name, value);
    return value;
  }

  advance(names: readonly string[], mode: PurgeMode): void {
    for (const name of names) {
      const value = this.#counters.get(name);
      // What has no counter has no entry either.
      if (value === undefined) continue;
      this.#counters.set(name, mode === 'soft' ? value + 1 : newBeginning());
    }
    this.changes += 1;
    // Who reads does not look at those.
    if (!names.every(isOfRemoval)) this.sequence += 1;
  }

  log(names: readonly string[]): void {
    const value = (this.#counters.get(CLOCK) ?? newBeginning()) + 1;
    this.#counters.set(CLOCK, value);
    this.#log.set(value, names);
  }

  /** Forgets all counters, which makes all entries invalid. */
  clear(): void {
    this.#counters.clear();
    this.sequence += 1;
    this.changes += 1;
  }

  readLog(values: readonly number[]): (readonly string[] | undefined)[] {
    return values.map((value) => this.#log.get(value));
  }
}
