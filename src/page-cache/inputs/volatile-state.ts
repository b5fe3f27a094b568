import { LRUCache } from 'lru-cache';

/** Requests in a row after which state that always differs is taken for an id, a nonce or a clock. */
const REQUESTS = 8;

interface Observed {
  readonly headers: string;
  readonly value: string;
  readonly differences: number;
}

const observed = new LRUCache<string, Observed>({ max: 2000 });

/**
 * Whether the value of this state has differed in each of the last eight requests with equal headers.
 * Notes the present value.
 *
 * @param name - Of the input.
 * @param headers - A digest of the headers that came with the value.
 */
export function isVolatile(name: string, headers: string, value: string): boolean {
  const last = observed.get(name);
  const differences =
    last === undefined || last.headers !== headers
      ? (last?.differences ?? 0)
      : last.value === value
        ? 0
        : last.differences + 1;
  observed.set(name, { headers, value, differences });
  return differences >= REQUESTS;
}
