import { LRUCache } from 'lru-cache';

/** Keys remembered at most. A site that writes more in that time reads some of them late. */
const MAX_KEYS = 10_000;

/** By leader and length of the moment: aliases on one leader read what the other wrote. */
const known = new Map<string, OwnWrites>();

/** What this process has written a moment ago, and so may be missing on replicas. */
export class OwnWrites {
  /** @param ms - How long a moment is; `0`: nothing is remembered. */
  static on(leaderName: string, ms: number): OwnWrites {
    const id = `${ms} ${leaderName}`;
    const ownWrites = known.get(id) ?? new OwnWrites(ms);
    known.set(id, ownWrites);
    return ownWrites;
  }

  readonly #ms: number;
  readonly #keys: LRUCache<string, true> | undefined;
  #allUntil = 0;

  private constructor(ms: number) {
    this.#ms = ms;
    if (ms > 0) this.#keys = new LRUCache({ max: MAX_KEYS, ttl: ms });
  }

  /** @param finalKeys - `undefined`: any key may have been. */
  add(finalKeys: readonly string[] | undefined): void {
    if (finalKeys === undefined) this.#allUntil = performance.now() + this.#ms;
    else for (const key of finalKeys) this.#keys?.set(key, true);
  }

  has(finalKeys: string | readonly string[]): boolean {
    if (performance.now() < this.#allUntil) return true;
    const keys = this.#keys;
    if (keys === undefined) return false;
    return typeof finalKeys === 'string'
      ? keys.has(finalKeys)
      : finalKeys.some((key) => keys.has(key));
  }
}
