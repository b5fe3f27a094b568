import type { Turn } from '../../bench/harness/turns';

/** Turns of a server that had its processor all the time, of so many requests a second each. */
export function turnsOf(...rates: readonly number[]): Turn[] {
  return rates.map((perSecond) => ({
    requests: perSecond,
    perSecond,
    cpuUs: 1e6 / perSecond,
    busy: 1,
  }));
}
