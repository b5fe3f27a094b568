import type { MaybePromise } from '../../cache/maybe-promise';
import { isOfRemoval } from '../../cache/tag-names';
import { CLOCK, type PurgeMode, type TagStore } from '../../cache/tags';

/** Counters that are remembered; of more none is, for a moment. */
const MAX_COUNTERS = 100_000;

/** What the counters of a tiered cache ask of it. */
export interface TagHost {
  /** Whether what is remembered holds. */
  isTrusted(): boolean;
  /** Whether what is read from now on may be remembered. */
  isFollowing(): boolean;
  now(): number;
  /** Until no process uses any more what it remembers of these counters. */
  announce(names: readonly string[]): Promise<void>;
}

/**
 * The counters of the shared cache, those that were looked at remembered: so a page in the local
 * tier can be checked without asking anybody.
 */
export class TieredTagStore implements TagStore {
  readonly #shared: TagStore;
  readonly #host: TagHost;
  readonly #maxAgeMs: number;
  readonly #counters = new Map<string, number>();
  readonly changes = undefined;
  /** Changes with each change of what is remembered. */
  #sequence = 0;
  /** Since when what is remembered was read. */
  #rememberedSince: number;

  /** @param maxAgeMs - How long a counter is remembered at most, as changes may go untold. */
  constructor(shared: TagStore, host: TagHost, maxAgeMs: number) {
    this.#shared = shared;
    this.#host = host;
    this.#maxAgeMs = maxAgeMs;
    this.#rememberedSince = host.now();
  }

  // What is remembered is older than a counter of all purges that was just read.
  readonly countsPurges = false;

  get sequence(): number | undefined {
    if (!this.#host.isTrusted()) return undefined;
    this.#forgetOld();
    return this.#sequence;
  }

  read(names: readonly string[]): MaybePromise<readonly (number | undefined)[]> {
    // A fill compares what it notes with the clock: all of it must be of today. And of removals nobody
    // is told but who asks.
    if (names.some((name) => name === CLOCK || isOfRemoval(name))) return this.#shared.read(names);
    if (this.#host.isTrusted()) {
      this.#forgetOld();
      const known = names.map((name) => this.#counters.get(name));
      if (!known.includes(undefined)) return known;
    }
    return this.#host.isFollowing() ? this.#readAndRemember(names) : this.#shared.read(names);
  }

  make(name: string): MaybePromise<number> {
    return this.#shared.make(name);
  }

  async advance(names: readonly string[], mode: PurgeMode): Promise<void> {
    await this.#shared.advance(names, mode);
    await this.#host.announce(names);
  }

  log(names: readonly string[]): MaybePromise<void> {
    return this.#shared.log(names);
  }

  readLog(values: readonly number[]): MaybePromise<readonly (readonly string[] | undefined)[]> {
    return this.#shared.readLog(values);
  }

  /** Told that these were changed; `undefined`: any may have been. */
  forget(names: readonly string[] | undefined): void {
    this.#sequence += 1;
    if (names === undefined) this.#counters.clear();
    else for (const name of names) this.#counters.delete(name);
  }

  async #readAndRemember(names: readonly string[]): Promise<readonly (number | undefined)[]> {
    const sequence = this.#sequence;
    const values = await this.#shared.read(names);
    // What was purged meanwhile may have been read before, or after.
    if (sequence !== this.#sequence) return values;
    if (this.#counters.size > MAX_COUNTERS) this.#counters.clear();
    for (const [i, name] of names.entries()) {
      if (values[i] !== undefined) this.#counters.set(name, values[i]);
    }
    return values;
  }

  #forgetOld(): void {
    const now = this.#host.now();
    if (now < this.#rememberedSince + this.#maxAgeMs) return;
    this.#rememberedSince = now;
    this.forget(undefined);
  }
}
