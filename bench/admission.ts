// How often the local tier hits, and what that costs, beside lru-cache with the same bytes.
//
//   npm run bench:admission
//   npm run bench:admission -- --rounds 9
//
// The traces are the same in every run. For the cost, the two take turns; a first turn of each warms
// it up and is dropped.
import { parseArgs } from 'node:util';
import { CONTENDERS, hitRatio } from '../test/support/replayed-traces';
import { crawledTrace, echoTrace, loopTrace, siteTrace, type Trace } from '../test/support/traces';

const REQUESTS = 200_000;
const PAGES = 10_000;
const ENTRY_BYTES = 1000;

/** Room for 5 % of the pages. */
const ENTRIES = 500;

const site = (tweaks: { skew: number; oneHits?: number; shiftEvery?: number; shiftBy?: number }) =>
  siteTrace({ pages: PAGES, requests: REQUESTS, ...tweaks });

const RATIOS: readonly (readonly [string, Trace])[] = [
  ...[0.8, 0.9, 1, 1.1].flatMap((skew) =>
    [0, 0.3, 0.5].map((oneHits) => {
      const name = `Zipf(${skew}), ${100 * oneHits} % one-hit URLs`;
      return [name, site({ skew, oneHits })] as const;
    }),
  ),
  ['a crawler now and then', crawledTrace(site({ skew: 0.9 }), { every: 20_000, length: 5000 })],
  ['a hot set that jumps', site({ skew: 0.9, shiftEvery: 20_000, shiftBy: 500 })],
  ['a hot set that drifts', site({ skew: 1, shiftEvery: 2000, shiftBy: 50 })],
  ['a loop that fits', loopTrace({ pages: 450, requests: REQUESTS })],
  ['a loop a tenth too long', loopTrace({ pages: 550, requests: REQUESTS })],
  ['a loop twice too long', loopTrace({ pages: 1000, requests: REQUESTS })],
  // The worst for S3-FIFO: they come back just after probation, and take the room of others.
  [
    'pages asked for twice, later',
    echoTrace({ requests: REQUESTS, hotPages: 400, hotShare: 0.3, distance: 100 }),
  ],
];

const COSTS: readonly (readonly [string, number, Trace])[] = [
  ['hits alone', PAGES, loopTrace({ pages: PAGES, requests: 5 * REQUESTS })],
  ['misses alone', ENTRIES, loopTrace({ pages: REQUESTS, requests: 2 * REQUESTS })],
  ['Zipf(0.9), 30 % one-hit URLs', ENTRIES, site({ skew: 0.9, oneHits: 0.3 })],
];

function main(): void {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
  const rounds = Number(values.rounds);

  console.log(`Hits in a hundred requests, with room for ${ENTRIES} of ${PAGES} pages:\n`);
  printRow('', 'lru-cache', 'ours', 'points');
  for (const [name, trace] of RATIOS) {
    const lru = hitRatio(CONTENDERS.lru(ENTRIES * ENTRY_BYTES), trace);
    const ours = hitRatio(CONTENDERS.ours(ENTRIES * ENTRY_BYTES), trace);
    printRow(name, lru.toFixed(1), ours.toFixed(1), (ours - lru).toFixed(1));
  }

  console.log(
    `\nMillions of requests a second, medians of ${rounds} rounds, Node ${process.version}:\n`,
  );
  printRow('', 'lru-cache', 'ours', 'ratio');
  for (const [name, entries, trace] of COSTS) {
    const lru: number[] = [];
    const ours: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const turn = [
        millionsPerSecond('lru', entries, trace),
        millionsPerSecond('ours', entries, trace),
      ];
      if (round === 0) continue;
      lru.push(turn[0]!);
      ours.push(turn[1]!);
    }
    const ratio = median(ours) / median(lru);
    printRow(name, median(lru).toFixed(2), median(ours).toFixed(2), ratio.toFixed(2));
  }
}

function millionsPerSecond(name: keyof typeof CONTENDERS, entries: number, trace: Trace): number {
  const cache = CONTENDERS[name](entries * ENTRY_BYTES);
  hitRatio(cache, trace.slice(0, 2 * entries));
  const startedAt = performance.now();
  hitRatio(cache, trace);
  return trace.length / (performance.now() - startedAt) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function printRow(name: string, ...cells: readonly string[]): void {
  console.log(`  ${name.padEnd(32)}${cells.map((cell) => cell.padStart(11)).join('')}`);
}

main();
