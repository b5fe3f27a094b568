import { LRUCache } from 'lru-cache';
import type { Validity } from './tags';

/** For how long an entry that was purged softly is shown after a process has found out. */
const SHOWN_MS = 60_000;

/** Entries of which it is remembered; those that are forgotten are found out about anew. */
const MAX_KEYS = 10_000;

/** When this process found out that entries were purged softly. */
export class SoftPurges {
  #known: LRUCache<string, { readonly entry: unknown; readonly until: number }> | undefined;

  /**
   * What is left of an entry's validity: the stale ones are purged once their time is over.
   *
   * @param entry - Tells it from others that have the same key.
   */
  judge(finalKey: string, entry: unknown, validity: Validity): Validity {
    if (validity !== 'stale') {
      this.#known?.delete(finalKey);
      return validity;
    }
    this.#known ??= new LRUCache({ max: MAX_KEYS });
    const known = this.#known.get(finalKey);
    if (known !== undefined && known.entry === entry) {
      return Date.now() < known.until ? 'stale' : 'purged';
    }
    this.#known.set(finalKey, { entry, until: Date.now() + SHOWN_MS });
    return 'stale';
  }

  /** Whether the entry that was read last was stale. */
  has(finalKey: string): boolean {
    return this.#known?.has(finalKey) === true;
  }

  forget(finalKey: string): void {
    this.#known?.delete(finalKey);
  }
}
