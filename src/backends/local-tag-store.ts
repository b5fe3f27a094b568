import { LRUCache } from 'lru-cache';
import { isOfRemoval } from '../cache/tag-names';
import { CLOCK, newBeginning, type PurgeMode, type TagStore } from '../cache/tags';

/** Counters that are remembered at most. One more, and all is forgotten, so that all is purged. */
const MAX_COUNTERS = 200_000;

/** Purges of which it is remembered what they concerned. */
const MAX_LOGGED = 1000;

/**
 * Counters in the memory of this process, read at once. Kept are those that were ever changed; all
 * others stand at one beginning.
 */
export class LocalTagStore implements TagStore {
  readonly #counters = new Map<string, number>();
  #beginning = newBeginning();
  readonly #log = new LRUCache<number, readonly string[]>({ max: MAX_LOGGED });
  /** Stands still while every entry found valid still is. */
  sequence = 0;
  changes = 0;
  readonly countsPurges = false;

  read(names: readonly string[]): number[] {
    return names.map((name) => this.make(name));
  }

  make(name: string): number {
    return this.#counters.get(name) ?? this.#beginning;
  }

  advance(names: readonly string[], mode: PurgeMode): void {
    for (const name of names) {
      this.#set(name, mode === 'soft' ? this.make(name) + 1 : newBeginning());
    }
    this.changes += 1;
    // Who reads does not look at those.
    if (!names.every(isOfRemoval)) this.sequence += 1;
  }

  log(names: readonly string[]): void {
    const value = this.make(CLOCK) + 1;
    this.#set(CLOCK, value);
    this.#log.set(value, names);
  }

  /** Forgets all counters, which makes all entries invalid. */
  clear(): void {
    this.#counters.clear();
    this.#beginning = newBeginning();
    this.sequence += 1;
    this.changes += 1;
  }

  #set(name: string, value: number): void {
    if (this.#counters.size >= MAX_COUNTERS && !this.#counters.has(name)) this.clear();
    this.#counters.set(name, value);
  }

  readLog(values: readonly number[]): (readonly string[] | undefined)[] {
    return values.map((value) => this.#log.get(value));
  }
}
