import { CONTENDERS, type Contender, type ContenderId } from './contenders';
import { compare, median } from './harness/ratios';
import type { Table } from './harness/table';
import { formatSize, type HitsResult } from './hits';
import { costOfMiss, kindOf, type MissesResult } from './misses';
import type { StampedeResult } from './stampede';

/** Something that has to hold, and whether it does. */
export interface Verdict {
  readonly what: string;
  readonly limit: string;
  readonly figure: string;
  readonly isKept: boolean;
}

const KB = 1024;
const MB = 1024 * KB;

/** Of local memory in Express. */
const INSIDE = ['pair', 'cachePage'] as const satisfies readonly ContenderId[];

/** More, and hits are not what was measured. */
export const MOST_MISSES = 0.001;

/** Of the caches that were measured, those that missed: nobody's figures are to be trusted then. */
export function judgeMissRates(results: readonly HitsResult[]): Verdict[] {
  return results.flatMap(({ bytes, missRates }) =>
    [...missRates]
      .filter(([, rate]) => rate > MOST_MISSES)
      .map(([id, rate]) => ({
        what: `${formatSize(bytes)}: ${CONTENDERS[id].label}, requests that were no hits`,
        limit: `≤ ${100 * MOST_MISSES} %`,
        figure: `${(100 * rate).toFixed(2)} %`,
        isKept: false,
      })),
  );
}

/** What was measured is judged, and nothing else. */
export function judgeHits(results: readonly HitsResult[], nodeMajor: number): Verdict[] {
  return results.flatMap((result) => {
    const { bytes } = result;
    const atLeast = judgeRatio(result);
    const verdicts: (Verdict | undefined)[] = [];
    if (bytes <= 40 * KB) {
      for (const id of INSIDE) {
        verdicts.push(atLeast(id, 'floor', 1), aboveBestPeer(result, id));
      }
      verdicts.push(atLeast('cacheApp', 'bareNode', nodeMajor >= 24 ? 0.95 : 0.85));
      if (nodeMajor < 24) verdicts.push(atLeast('cacheApp', 'apicache', 4));
    }
    if (bytes <= MB) verdicts.push(atLeast('pairOnRedis', 'redisBuffers', 0.95));
    if (bytes === 40 * KB) verdicts.push(atLeast('pairOnRedis', 'apicacheOnRedis', 5));
    return verdicts.filter((verdict) => verdict !== undefined);
  });
}

function judgeRatio(
  result: HitsResult,
): (id: ContenderId, other: ContenderId, limit: number) => Verdict | undefined {
  const { bytes, turns } = result;
  return (id, other, limit) => {
    const [own, others] = [turns.get(id), turns.get(other)];
    if (own === undefined || others === undefined) return undefined;
    const { ratio } = compare(own, others);
    return {
      what: `${formatSize(bytes)}: ${CONTENDERS[id].label} to ${CONTENDERS[other].label}`,
      limit: `≥ ${limit.toFixed(2)}`,
      figure: ratio.toFixed(3),
      isKept: ratio >= limit,
    };
  };
}

function aboveBestPeer({ bytes, turns }: HitsResult, id: ContenderId): Verdict | undefined {
  const own = turns.get(id);
  if (own === undefined) return undefined;
  const peers = [...turns].filter(([peer]) => (CONTENDERS[peer] as Contender).isPeerInExpress);
  const [closest] = peers
    .map(([peer, theirs]) => ({ peer, ratio: compare(own, theirs).ratio }))
    .sort((a, b) => a.ratio - b.ratio);
  if (closest === undefined) return undefined;
  const { peer, ratio } = closest;
  return {
    what: `${formatSize(bytes)}: ${CONTENDERS[id].label} to the best peer, ${CONTENDERS[peer].label}`,
    limit: '> 1.00',
    figure: ratio.toFixed(3),
    isKept: ratio > 1,
  };
}

export function judgeMisses(results: readonly MissesResult[]): Verdict[] {
  return results
    .filter(({ handler }) => handler !== 'nothing')
    .flatMap((result) =>
      [...result.turns.keys()]
        .filter((way) => way !== 'no cache')
        .map((way) => {
          const cost = costOfMiss(result, way);
          return {
            what: `a miss, ${kindOf(result)}: \`${way}\` to no cache`,
            limit: '≤ 1.10',
            figure: cost.toFixed(3),
            isKept: cost <= 1.1,
          };
        }),
    );
}

export function judgeStampede(results: readonly StampedeResult[]): Verdict[] {
  return results
    .filter(({ isOurs }) => isOurs)
    .flatMap(({ label, runs, slowestMs }) => {
      const ms = median(slowestMs);
      return [
        {
          what: `stampede, ${label}: runs of the handler`,
          limit: '1',
          figure: String(Math.max(...runs)),
          isKept: runs.every((count) => count === 1),
        },
        {
          what: `stampede, ${label}: slowest answer`,
          limit: '≤ 260 ms',
          figure: `${ms.toFixed(0)} ms`,
          isKept: ms <= 260,
        },
      ];
    });
}

export function verdictTable(verdicts: readonly Verdict[]): Table {
  return {
    title: 'Limits, of what was measured',
    head: ['', 'limit', 'figure', ''],
    rows: verdicts.map(({ what, limit, figure, isKept }) => [
      what,
      limit,
      figure,
      isKept ? 'kept' : 'too much',
    ]),
  };
}
