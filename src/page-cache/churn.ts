import { LRUCache } from 'lru-cache';
import { isStateInput } from './inputs/input-values';
import type { Inputs } from './request-key';

/** Times in a row that a URL is stored under new values, without a hit, before it is left alone. */
const TRIES = 12;
/** Milliseconds for which a URL is left alone then. */
const PAUSE_MS = 60_000;

interface Record {
  /** The values that each input had when the URL was stored, one after the other. */
  readonly values: Map<string, Set<string>>;
  stores: number;
  pausedUntil: number;
  input: string | undefined;
}

/** URLs that are stored again and again under new values and never hit, as pages that show a nonce are. */
const urls = new LRUCache<string, Record>({ max: 5000 });

/** Notes that a stored response of this URL was used. */
export function noteHit(base: string): void {
  const record = urls.peek(base);
  if (record !== undefined) urls.delete(base);
}

/**
 * Notes that a response of this URL is about to be stored.
 *
 * @param inputs - That were read. Only state that is there counts, as all visitors without share a variant.
 * @returns the input whose value differs each time, if the URL is not worth storing now
 */
export function churningInput(
  base: string,
  inputs: Iterable<string>,
  values: Inputs,
): string | undefined {
  // Headers and cookies are made up by clients, who could keep a page from being stored.
  const present = [...inputs].filter(
    (input) =>
      isStateInput(input) && !/^.(?:signedC|c)ookies/.test(input) && values.of(input) !== undefined,
  );
  if (present.length === 0) return undefined;
  let record = urls.get(base);
  if (record === undefined) {
    record = { values: new Map(), stores: 0, pausedUntil: 0, input: undefined };
    urls.set(base, record);
  }
  const { input } = record;
  if (input !== undefined && Date.now() < record.pausedUntil) {
    return values.of(input) === undefined ? undefined : input;
  }
  record.stores += 1;
  for (const name of present) {
    const seen = record.values.get(name) ?? new Set();
    seen.add(values.of(name)!);
    record.values.set(name, seen);
  }
  if (record.stores < TRIES) return undefined;
  const [changing] = [...record.values].find(([, seen]) => seen.size === record.stores) ?? [];
  const isChurning = changing !== undefined;
  urls.set(base, {
    values: new Map(),
    stores: 0,
    pausedUntil: isChurning ? Date.now() + PAUSE_MS : 0,
    input: changing,
  });
  return changing;
}
