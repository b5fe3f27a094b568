/** Keys that one segment holds: to copy so many takes less than a millisecond. */
const MAX_SEGMENT = 2048;

/** Halvings of the keys. After so many, keys that still fall together stay together. */
const MAX_DEPTH = 14;

/** Characters of a key that tell its segment. */
const SAMPLES = 48;

/** The keys that end alike, in the last `depth` bits of their digests. */
interface Segment<V> {
  entries: Map<string, V>;
  depth: number;
}

/**
 * A map of strings that never stops to copy all of itself. A `Map` does so each time it has
 * outgrown its memory, and again and again while keys come and go: a million of them stand still for
 * a tenth of a second. Here they are spread over maps of a few thousand, and one that is full is
 * split in two (extendible hashing). Up to that number it is one `Map`.
 *
 * Keys made to fall into one segment gain nothing but that this one is as slow as a plain `Map`.
 */
export class SegmentedMap<V> {
  // By the last bits of a digest; one that was split less often than others stands in several places.
  #segments: Segment<V>[] = [{ entries: new Map(), depth: 0 }];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    return this.#segmentOf(key).entries.get(key);
  }

  set(key: string, value: V): void {
    let segment = this.#segmentOf(key);
    if (segment.entries.size >= MAX_SEGMENT && segment.depth < MAX_DEPTH) {
      this.#split(segment);
      segment = this.#segmentOf(key);
    }
    const { entries } = segment;
    const before = entries.size;
    this.#size += entries.set(key, value).size - before;
  }

  delete(key: string): boolean {
    const isThere = this.#segmentOf(key).entries.delete(key);
    if (isThere) this.#size--;
    return isThere;
  }

  #segmentOf(key: string): Segment<V> {
    const { length } = this.#segments;
    return this.#segments[length === 1 ? 0 : digestOf(key) & (length - 1)]!;
  }

  #split(segment: Segment<V>): void {
    const bit = 1 << segment.depth;
    if (bit === this.#segments.length) this.#segments = [...this.#segments, ...this.#segments];
    const { entries } = segment;
    const other: Segment<V> = { entries: new Map(), depth: segment.depth + 1 };
    segment.entries = new Map();
    segment.depth++;
    for (const [key, value] of entries) {
      ((digestOf(key) & bit) === 0 ? segment : other).entries.set(key, value);
    }
    for (const [place, standing] of this.#segments.entries()) {
      if (standing === segment && (place & bit) !== 0) this.#segments[place] = other;
    }
  }
}

/** Spreads keys evenly that differ anywhere, or, if they are long, in more than a few places. */
function digestOf(key: string): number {
  let digest = key.length;
  const step = 1 + Math.floor(key.length / SAMPLES);
  for (let i = key.length - 1; i >= 0; i -= step) {
    digest = Math.imul(digest ^ key.charCodeAt(i), 0x01000193);
  }
  // The last bits alone know of nothing but the last bits of each character.
  return digest ^ (digest >>> 15);
}
