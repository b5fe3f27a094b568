import type { FrozenValue } from '../cache/frozen-value';
import type { Counters } from '../cache/tags';
import { Queue, type Queued } from './queue';
import { SegmentedMap } from './segmented-map';

/** Frozen values that are kept as they are; of those before them, small ones as their bytes. */
const MAX_THAWED = 10_000;

/** Of larger ones, the objects around the bytes are a small part, and copying the bytes is not. */
const MAX_PACKED_BYTES = 16 * 1024;

/** Primitives of a known size as they are, for nobody can change them; all else encoded. */
export type Held = string | number | boolean | null | ArrayBuffer | FrozenValue | PackedFrozen;

/** A frozen value as its bytes, which take half the memory of the objects of a small page. */
export class PackedFrozen {
  readonly bytes: ArrayBuffer;

  constructor(value: FrozenValue) {
    this.bytes = ownMemory(value.toBytes());
  }

  get byteLength(): number {
    return this.bytes.byteLength;
  }
}

/** What is known of an entry's tags. */
export interface EntryTags {
  readonly counters: Counters;
  /** What the sequence of the tags was as they were found to be valid. */
  validAt: number | undefined;
}

/** A value as it is held, and where it stands in the order of use. */
export class Entry implements Queued<Entry> {
  older: Entry | undefined = undefined;
  newer: Entry | undefined = undefined;

  constructor(
    readonly key: string,
    /** `undefined` once it was removed. */
    public value: Held | undefined,
    readonly size: number,
    public expiresAt: number,
    readonly tags: EntryTags | undefined,
  ) {}
}

/**
 * Entries by key, in the order in which they were used. Each operation takes constant time, however
 * many entries there are.
 */
export class RecentEntries {
  readonly #index = new SegmentedMap<Entry>();
  readonly #order = new Queue<Entry>();
  readonly #thawed: Entry[] = [];
  #nextThawed = 0;

  get count(): number {
    return this.#index.size;
  }

  /** The sizes of all entries. */
  get bytes(): number {
    return this.#order.bytes;
  }

  /** The entry, unmoved in the order of use. */
  peek(key: string): Entry | undefined {
    return this.#index.get(key);
  }

  /** The entry, now the most recently used. */
  use(key: string): Entry | undefined {
    const entry = this.#index.get(key);
    if (entry !== undefined) this.#order.renew(entry);
    return entry;
  }

  /** Takes the place of the entry that has the same key. */
  put(entry: Entry): void {
    const old = this.#index.get(entry.key);
    if (old !== undefined) this.#release(old);
    this.#index.set(entry.key, entry);
    this.#order.add(entry);
    this.#keepThawed(entry);
  }

  delete(key: string): boolean {
    const entry = this.#index.get(key);
    if (entry === undefined) return false;
    this.#index.delete(key);
    this.#release(entry);
    return true;
  }

  /** Removes the least recently used entry, if there is one. */
  evict(): void {
    const { oldest } = this.#order;
    if (oldest === undefined) return;
    this.#index.delete(oldest.key);
    this.#release(oldest);
  }

  /** Replaces the bytes of an entry, if it still has these, by what was made of them. */
  thaw(key: string, bytes: ArrayBufferLike, value: FrozenValue): void {
    const entry = this.#index.get(key);
    if (!(entry?.value instanceof PackedFrozen) || entry.value.bytes !== bytes) return;
    entry.value = value;
    this.#keepThawed(entry);
  }

  #release(entry: Entry): void {
    this.#order.remove(entry);
    // It may stand among those that are thawed, and must not keep its memory from there.
    entry.value = undefined;
  }

  #keepThawed(entry: Entry): void {
    if (!isPackable(entry.value)) return;
    const leaving = this.#thawed[this.#nextThawed];
    this.#thawed[this.#nextThawed] = entry;
    this.#nextThawed = (this.#nextThawed + 1) % MAX_THAWED;
    if (leaving !== undefined && isPackable(leaving.value)) {
      leaving.value = new PackedFrozen(leaving.value);
    }
  }
}

function isPackable(value: Held | undefined): value is FrozenValue {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof ArrayBuffer) &&
    !(value instanceof PackedFrozen) &&
    value.byteLength <= MAX_PACKED_BYTES
  );
}

/** The bytes in memory that holds nothing else: a part of a larger one keeps all of it alive. */
export function ownMemory(bytes: Uint8Array): ArrayBuffer {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) return buffer;
  return new Uint8Array(bytes).buffer;
}
