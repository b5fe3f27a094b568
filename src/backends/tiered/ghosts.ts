import { SegmentedMap } from '../segmented-map';

/** Ghosts that there is always room for, however few entries there are. */
const MIN_GHOSTS = 64;

/** What a ghost takes besides its key: roughly, its place in a map. */
const GHOST_OVERHEAD = 64;

/**
 * The keys of entries that left a cache not long ago. Bounded by number and by bytes.
 *
 * Whole keys, where numbers made of them would take less: the engine's hash of a string is a secret
 * of the process, so no visitor can send keys that all fall into one place.
 */
export class Ghosts {
  readonly #maxBytes: number;
  // Two generations, for a map is slow to find its first member once many before it were deleted.
  #young = new SegmentedMap<true>();
  #old = new SegmentedMap<true>();
  #youngBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /**
   * Remembers a key until between `limit / 2` and `limit` later ones have come, or fewer if their
   * bytes are many. A key that takes half of all bytes is not remembered.
   */
  add(key: string, limit: number): void {
    const bytes = bytesOf(key);
    if (bytes > this.#maxBytes / 2) return;
    const isFull =
      this.#young.size >= Math.max(MIN_GHOSTS, limit) >> 1 ||
      this.#youngBytes + bytes > this.#maxBytes / 2;
    if (isFull) {
      this.#old = this.#young;
      this.#young = new SegmentedMap();
      this.#youngBytes = 0;
    }
    const before = this.#young.size;
    this.#young.set(key, true);
    if (this.#young.size > before) this.#youngBytes += bytes;
  }

  /** Forgets a key. Returns whether it was remembered. */
  take(key: string): boolean {
    const isYoung = this.#young.delete(key);
    if (isYoung) this.#youngBytes -= bytesOf(key);
    // A key that came again may be in both.
    return this.#old.delete(key) || isYoung;
  }
}

function bytesOf(key: string): number {
  return GHOST_OVERHEAD + 2 * key.length;
}
