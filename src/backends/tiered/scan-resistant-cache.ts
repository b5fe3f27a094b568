import { Queue, type Queued } from '../queue';
import { SegmentedMap } from '../segmented-map';
import { Ghosts } from './ghosts';

/** The part of the bytes in which an entry must prove itself. */
const PROBATION_SHARE = 0.1;

/** What the remembered keys may take on top of the bytes, as a part of them. */
const GHOST_SHARE = 0.1;

/** Reads that take an entry out of probation. One may be the second half of the same request. */
const PROVING_READS = 2;

/** Reads that count: a burst, however long, buys this many turns of the main queue. */
const MAX_READS = 3;

/** Entries passed over, because they were read, before the next one goes whatever it is. */
const MAX_SPARED = 64;

/** Entries looked at in one write, so that a large value never stalls the process. */
const MAX_STEPS = 1000;

interface Entry<V> extends Queued<Entry<V>> {
  readonly key: string;
  readonly value: V;
  readonly size: number;
  readonly expiresAt: number;
  reads: number;
  queue: Queue<Entry<V>>;
}

/**
 * Values in memory, bounded by their bytes, where pages that are asked for once do not push out
 * those that everyone asks for, as they do where the least recently used gives way.
 *
 * The policy is S3-FIFO. A new entry goes through a short queue, probation. If it was read twice by
 * the time it reaches the end, it moves to the main queue; otherwise it leaves, and only its key is
 * remembered for a while: asked for again within that while, it goes straight to the main queue. At
 * the end of the main queue an entry gets another turn for each time it was read, up to three; so
 * whatever stops being read leaves. A scan passes through probation alone.
 *
 * Why this one: of S3-FIFO, W-TinyLFU and SIEVE it hit most often on traffic like a site's, and
 * alone stayed above LRU as the hot set drifted; and a hit costs a look-up and an addition, where
 * others reorder a list or hash the key. What it gives up: pages that are asked for a second time
 * just after they left probation, and then never again. `npm run bench:admission` compares it with
 * LRU.
 *
 * - Every operation takes constant time, apart from a `set` that must make room: it looks at those
 *   it evicts, at up to 64 that it spares before each, and at 1000 in all. A value for which that
 *   makes no room is not stored.
 * - An entry larger than probation is not stored if others had to leave for it, unless its key is
 *   remembered: then it was asked for before. One larger than the whole is never stored.
 * - An expired entry is gone when it is asked for, or has reached the end of its queue. There are
 *   no timers.
 * - On top of the bytes of the entries, up to as many keys are remembered as there are entries, or
 *   64, in at most a tenth of the bytes.
 *
 * @see Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023
 */
export class ScanResistantCache<V> {
  readonly #maxBytes: number;
  readonly #maxProbation: number;
  #entries = new SegmentedMap<Entry<V>>();
  #probation = new Queue<Entry<V>>();
  #main = new Queue<Entry<V>>();
  #ghosts: Ghosts;

  /**
   * @param maxBytes - What the sizes of all entries may add up to.
   * @throws TypeError if `maxBytes` is not a whole number above 0.
   */
  constructor(maxBytes: number) {
    if (!isWholeBytes(maxBytes)) {
      throw new TypeError(`maxBytes is ${maxBytes}. Give whole bytes above 0.`);
    }
    this.#maxBytes = maxBytes;
    this.#maxProbation = maxBytes * PROBATION_SHARE;
    this.#ghosts = new Ghosts(maxBytes * GHOST_SHARE);
  }

  /** The number of entries, expired ones that nobody asked for included. */
  get size(): number {
    return this.#entries.size;
  }

  /** The sizes of these entries, added up. */
  get bytes(): number {
    return this.#probation.bytes + this.#main.bytes;
  }

  /** The number of keys remembered of entries that left. */
  get ghosts(): number {
    return this.#ghosts.size;
  }

  /**
   * The value last set, if it is still there.
   *
   * @param now - Epoch milliseconds, if the caller has them already.
   */
  get(key: string, now?: number): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAt <= (now ?? Date.now())) {
      this.#forget(entry);
      return undefined;
    }
    if (entry.reads < MAX_READS) entry.reads++;
    return entry.value;
  }

  /**
   * Stores a value in place of the one that this key has; the old one is gone in any case. What an
   * entry has proved holds for the new value, too.
   *
   * @param size - What the entry takes, in bytes: key, value and what is around them.
   * @param expiresAt - Epoch milliseconds; `Infinity`: never.
   * @param now - Epoch milliseconds, if the caller has them already.
   * @returns Whether it was stored.
   * @throws TypeError if `size` is not a whole number above 0.
   */
  set(key: string, value: V, size: number, expiresAt: number, now = Date.now()): boolean {
    if (!isWholeBytes(size)) {
      throw new TypeError(`${JSON.stringify(key)} has the size ${size}. Give whole bytes above 0.`);
    }
    const old = this.#entries.get(key);
    if (old !== undefined) this.#remove(old);
    // Not `<=`: a NaN must not make an entry that lives forever.
    if (size > this.#maxBytes || !(expiresAt > now)) return false;

    const isKnown = old !== undefined || this.#ghosts.take(key);
    const isWelcome = isKnown || size <= this.#maxProbation || this.#hasRoomFor(size);
    if (!isWelcome || !this.#makeRoom(size, now)) {
      this.#remember(key);
      return false;
    }
    const entry: Entry<V> = {
      key,
      value,
      size,
      expiresAt,
      reads: old?.reads ?? 0,
      queue: old?.queue ?? (isKnown ? this.#main : this.#probation),
      older: undefined,
      newer: undefined,
    };
    this.#entries.set(key, entry);
    entry.queue.add(entry);
    return true;
  }

  /** Returns whether there was an entry, if only an expired one. */
  delete(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#forget(entry);
    return true;
  }

  /** Forgets all entries and all keys. */
  clear(): void {
    this.#entries = new SegmentedMap();
    this.#probation = new Queue();
    this.#main = new Queue();
    this.#ghosts = new Ghosts(this.#maxBytes * GHOST_SHARE);
  }

  #hasRoomFor(size: number): boolean {
    return this.bytes + size <= this.#maxBytes;
  }

  /** Evicts what is worth least. Returns `false` if that would take too long. */
  #makeRoom(size: number, now: number): boolean {
    let spared = 0;
    for (let steps = 0; !this.#hasRoomFor(size); steps++) {
      if (steps === MAX_STEPS) return false;
      const isProbation =
        this.#probation.bytes > this.#maxProbation || this.#main.oldest === undefined;
      const entry = (isProbation ? this.#probation : this.#main).oldest!;
      if (spared < MAX_SPARED && entry.expiresAt > now && this.#spare(entry)) {
        spared++;
      } else {
        spared = 0;
        // What the main queue gives up unread had its chance. To remember it, too, would push out
        // the memory of what may be better.
        if (isProbation || entry.reads > 0) this.#forget(entry);
        else this.#remove(entry);
      }
    }
    return true;
  }

  /** Gives the oldest of its queue a turn in the main one, for a read, if it was read enough. */
  #spare(entry: Entry<V>): boolean {
    if (entry.reads < (entry.queue === this.#probation ? PROVING_READS : 1)) return false;
    entry.queue.remove(entry);
    entry.queue = this.#main;
    entry.reads--;
    entry.queue.add(entry);
    return true;
  }

  /** Removes an entry whose key may soon be asked for again. */
  #forget(entry: Entry<V>): void {
    this.#remove(entry);
    this.#remember(entry.key);
  }

  #remove(entry: Entry<V>): void {
    entry.queue.remove(entry);
    this.#entries.delete(entry.key);
  }

  #remember(key: string): void {
    this.#ghosts.add(key, this.#entries.size);
  }
}

// Fractions would add up to something else than what is taken off again; of entries that take
// nothing there could be any number.
function isWholeBytes(bytes: number): boolean {
  return Number.isSafeInteger(bytes) && bytes > 0;
}
