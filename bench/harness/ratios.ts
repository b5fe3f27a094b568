import type { Turn } from './turns';

/** How one server did beside another, above 1 if it did better: medians of the rounds. */
export interface Comparison {
  /** By requests a second. */
  readonly byRate: number;
  /** By CPU time for a request; `undefined` if that is not known of both. */
  readonly byCpu: number | undefined;
  /** The one that counts. */
  readonly ratio: number;
  readonly counts: 'rate' | 'cpu';
}

/** A server that had a processor for less of the time was waiting for the load, or for others. */
const SATURATED = 0.95;

/**
 * Compares what two servers gave in the same rounds. Requests a second count where both had their
 * processor nearly all the time; else CPU time does, which does not depend on who else was there.
 */
export function compare(turns: readonly Turn[], others: readonly Turn[]): Comparison {
  const byRate = median(turns.map(({ perSecond }, i) => perSecond / others[i]!.perSecond));
  const cpu = turns.flatMap(({ cpuUs }, i) => {
    const other = others[i]!.cpuUs;
    return cpuUs === undefined || other === undefined ? [] : [other / cpuUs];
  });
  const byCpu = cpu.length === turns.length ? median(cpu) : undefined;
  const isSaturated = [turns, others].every((each) => busyOf(each) >= SATURATED);
  if (byCpu === undefined || isSaturated) return { byRate, byCpu, ratio: byRate, counts: 'rate' };
  return { byRate, byCpu, ratio: byCpu, counts: 'cpu' };
}

/**
 * CPU time for a request of one server, as a multiple of another's in the same rounds: the median,
 * below 1 if it takes less. `undefined` if it is not known of both.
 */
export function cpuRatio(turns: readonly Turn[], others: readonly Turn[]): number | undefined {
  const { byCpu } = compare(others, turns);
  return byCpu;
}

/** The share of the time in which a server had its processor; 1 where that is not known. */
export function busyOf(turns: readonly Turn[]): number {
  return median(turns.map(({ busy = 1 }) => busy));
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
}
