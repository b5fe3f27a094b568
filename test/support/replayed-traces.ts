import { LRUCache } from 'lru-cache';
import { ScanResistantCache } from '../../src/backends/tiered/scan-resistant-cache';
import type { Trace } from './traces';

/** What a trace is played to. */
export interface Contender {
  get(key: string, now: number): number | undefined;
  set(key: string, value: number, size: number, expiresAt: number, now: number): unknown;
}

/** The least recently used gives way; expiry is kept beside the value, as in local memory. */
export class LruContender implements Contender {
  readonly #entries: LRUCache<string, { readonly value: number; readonly expiresAt: number }>;

  constructor(maxBytes: number) {
    this.#entries = new LRUCache({ maxSize: maxBytes });
  }

  get(key: string, now: number): number | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresAt > now) return entry?.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: number, size: number, expiresAt: number): void {
    this.#entries.set(key, { value, expiresAt }, { size });
  }
}

/** Both, with room for so many bytes. */
export const CONTENDERS = {
  lru: (maxBytes: number): Contender => new LruContender(maxBytes),
  ours: (maxBytes: number): Contender => new ScanResistantCache<number>(maxBytes),
};

/** What the entries of a replay are like. */
export interface ReplayOptions {
  /** @defaultValue 1000 bytes for every key */
  readonly sizeOf?: (key: string) => number;
  /** How many requests an entry lives for. @defaultValue Infinity */
  readonly lifetime?: number;
}

/** Asks for every key and stores those that miss. Returns the percentage of hits. */
export function hitRatio(cache: Contender, trace: Trace, options: ReplayOptions = {}): number {
  const { sizeOf = () => 1000, lifetime = Number.POSITIVE_INFINITY } = options;
  let hits = 0;
  for (const [now, key] of trace.entries()) {
    if (cache.get(key, now) !== undefined) hits++;
    else cache.set(key, now, sizeOf(key), now + lifetime, now);
  }
  return (100 * hits) / trace.length;
}
