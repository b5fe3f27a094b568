import type { ContenderId } from '../../bench/contenders';
import {
  judgeHits,
  judgeMisses,
  judgeMissRates,
  judgeStampede,
  verdictTable,
} from '../../bench/limits';
import { turnsOf } from './turns-of';

const KB = 1024;

/** Verdicts over hits of one size, from the requests a second of each contender. */
function judge(bytes: number, rates: Partial<Record<ContenderId, number>>, nodeMajor = 24) {
  const turns = new Map(
    Object.entries(rates).map(([id, rate]) => [id as ContenderId, turnsOf(rate)] as const),
  );
  return judgeHits([{ bytes, turns, missRates: new Map(), skipped: new Map() }], nodeMajor);
}

describe('hits', () => {
  test.each([
    ['pair', 'floor', 2 * KB, 24, 1],
    ['cachePage', 'floor', 40 * KB, 20, 1],
    ['cacheApp', 'bareNode', 2 * KB, 24, 0.95],
    ['cacheApp', 'bareNode', 40 * KB, 20, 0.85],
    ['cacheApp', 'apicache', 2 * KB, 20, 4],
    ['pairOnRedis', 'redisBuffers', 1024 * KB, 20, 0.95],
    ['pairOnRedis', 'apicacheOnRedis', 40 * KB, 24, 5],
  ] as const)('%s to %s at %i bytes on Node %i: at least %f', (id, other, bytes, major, limit) => {
    const rate = 1_000_000;
    const verdictAt = (own: number) =>
      judge(bytes, { [id]: own, [other]: rate }, major).find(
        ({ limit: text }) => text === `≥ ${limit.toFixed(2)}`,
      );
    expect(verdictAt(rate * limit)).toMatchObject({ figure: limit.toFixed(3), isKept: true });
    expect(verdictAt(rate * limit - 1)).toMatchObject({ isKept: false });
  });

  test('those inside Express are to be above the best peer there, whichever it is', () => {
    const peers = { lruCache: 90, cacheManager: 100, redisBuffers: 80, fastify: 500, nginx: 900 };
    const [verdict, ...others] = judge(2 * KB, { ...peers, pair: 101 });
    expect(others).toEqual([]);
    expect(verdict).toMatchObject({
      what: expect.stringContaining('to the best peer, cache-manager'),
      figure: '1.010',
      isKept: true,
    });
    expect(judge(2 * KB, { ...peers, pair: 100 })).toMatchObject([{ isKept: false }]);
  });

  test('what was not measured is not judged, nor is what no promise is made of', () => {
    expect(judge(2 * KB, { pair: 1, cacheApp: 1, pairOnRedis: 1 })).toEqual([]);
    expect(judge(1024 * KB, { bareNode: 9, floor: 9, pair: 1, cacheApp: 1 })).toEqual([]);
    expect(judge(2 * KB, { apicacheOnRedis: 9, pairOnRedis: 1 })).toEqual([]);
    expect(judge(2 * KB, { apicache: 9, cacheApp: 1 }, 24)).toEqual([]);
  });
});

test('a cache that missed more than one in a thousand fails the run', () => {
  const missRates = new Map([
    ['lruCache', 0],
    ['apicache', 0.001],
    ['pairOnRedis', 0.0012],
  ] as const);
  const result = { bytes: 2 * KB, turns: new Map(), missRates, skipped: new Map() };
  expect(judgeMissRates([result])).toEqual([
    {
      what: '2 KB: cachewright on Redis, the pair, requests that were no hits',
      limit: '≤ 0.1 %',
      figure: '0.12 %',
      isKept: false,
    },
  ]);
});

describe('misses', () => {
  const judgeCost = (handler: 'list' | 'nothing', rate: number) =>
    judgeMisses([
      {
        handler,
        bytes: 2 * KB,
        turns: new Map([
          ['no cache', turnsOf(1100)],
          ['cachePage', turnsOf(rate)],
        ]),
      },
    ]);

  test('a miss may cost a tenth more CPU time than no cache', () => {
    expect(judgeCost('list', 1000)).toMatchObject([{ figure: '1.100', isKept: true }]);
    expect(judgeCost('list', 990)).toMatchObject([{ figure: '1.111', isKept: false }]);
  });

  test('beside a handler that does nothing it is only reported', () => {
    expect(judgeCost('nothing', 10)).toEqual([]);
  });
});

describe('a stampede', () => {
  const judgeOne = (runs: number[], slowestMs: number[], isOurs = true) =>
    judgeStampede([{ label: 'it', isOurs, runs, slowestMs }]).map(({ isKept }) => isKept);

  test('is to run the handler once in every round', () => {
    expect(judgeOne([1, 1, 1], [200, 200, 200])).toEqual([true, true]);
    expect(judgeOne([1, 2, 1], [200, 200, 200])).toEqual([false, true]);
    expect(judgeOne([1, 0, 1], [200, 200, 200])).toEqual([false, true]);
  });

  test('is to be answered within 260 ms in the median round', () => {
    expect(judgeOne([1, 1, 1], [200, 260, 900])).toEqual([true, true]);
    expect(judgeOne([1, 1, 1], [200, 261, 262])).toEqual([true, false]);
  });

  test('is no promise of others', () => {
    expect(judgeOne([500], [4000], false)).toEqual([]);
  });
});

test('the table tells which limits are kept', () => {
  const { rows } = verdictTable([
    { what: 'a', limit: '≥ 1.00', figure: '1.000', isKept: true },
    { what: 'b', limit: '≥ 1.00', figure: '0.999', isKept: false },
  ]);
  expect(rows).toEqual([
    ['a', '≥ 1.00', '1.000', 'kept'],
    ['b', '≥ 1.00', '0.999', 'too much'],
  ]);
});
