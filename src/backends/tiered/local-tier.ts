import { ScanResistantCache } from './scan-resistant-cache';

/** What an entry takes besides its key and value: roughly, the maps and objects around it. */
const ENTRY_OVERHEAD = 256;

/** Something that is being read from the shared cache, to be kept if nobody changes it meanwhile. */
export interface Fetch {
  readonly name: string;
  readonly startedAt: number;
  isSpoilt: boolean;
}

/**
 * Copies of what the shared cache has, in the memory of this process. What was read before a change
 * of it is told, and would be kept after, is not kept.
 */
export class LocalTier<V> {
  readonly #entries: ScanResistantCache<V>;
  readonly #fetches = new Map<string, Set<Fetch>>();
  readonly #maxAgeMs: number;
  readonly #now: () => number;

  /**
   * @param maxAgeMs - How long a copy is kept at most.
   * @param now - Milliseconds of a clock that never goes back.
   */
  constructor(maxBytes: number, maxAgeMs: number, now: () => number) {
    this.#entries = new ScanResistantCache(maxBytes);
    this.#maxAgeMs = maxAgeMs;
    this.#now = now;
  }

  find(name: string): V | undefined {
    return this.#entries.get(name, this.#now());
  }

  /** To be called before something is asked of the shared cache, and {@link LocalTier.end} after. */
  begin(name: string): Fetch {
    const fetch: Fetch = { name, startedAt: this.#now(), isSpoilt: false };
    const others = this.#fetches.get(name);
    if (others === undefined) this.#fetches.set(name, new Set([fetch]));
    else others.add(fetch);
    return fetch;
  }

  /** Ends a fetch that brought nothing to be kept. */
  end(fetch: Fetch): void {
    const { name } = fetch;
    const fetches = this.#fetches.get(name);
    fetches?.delete(fetch);
    if (fetches?.size === 0) this.#fetches.delete(name);
  }

  /**
   * Ends a fetch, and keeps what it brought, unless that was changed meanwhile.
   *
   * @param leftMs - How long the shared cache had it yet; `null`: for ever.
   */
  keep(fetch: Fetch, value: V, byteLength: number, leftMs: number | null): void {
    this.end(fetch);
    if (fetch.isSpoilt) return;
    const { name, startedAt } = fetch;
    const expiresAt = startedAt + Math.min(leftMs ?? this.#maxAgeMs, this.#maxAgeMs);
    const size = ENTRY_OVERHEAD + 2 * name.length + byteLength;
    this.#entries.set(name, value, size, expiresAt, this.#now());
  }

  /** Drops what has these names, and what is being fetched of it. */
  drop(names: Iterable<string>): void {
    for (const name of names) {
      this.#entries.delete(name);
      for (const fetch of this.#fetches.get(name) ?? []) fetch.isSpoilt = true;
    }
  }

  clear(): void {
    this.#entries.clear();
    for (const fetches of this.#fetches.values()) {
      for (const fetch of fetches) fetch.isSpoilt = true;
    }
  }
}
