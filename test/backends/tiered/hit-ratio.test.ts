import { CONTENDERS, hitRatio, type ReplayOptions } from '../../support/replayed-traces';
import { randomFrom } from '../../support/seeded-random';
import { crawledTrace, echoTrace, loopTrace, siteTrace, type Trace } from '../../support/traces';

const REQUESTS = 100_000;
const PAGES = 10_000;

/** Room for so many entries: 5 % of the pages. */
const ENTRIES = 500;
const MAX_BYTES = 1000 * ENTRIES;

interface SiteTweaks {
  readonly skew?: number;
  readonly oneHits?: number;
  readonly shiftEvery?: number;
  readonly shiftBy?: number;
}

const site = ({ skew = 0.9, ...tweaks }: SiteTweaks = {}): Trace =>
  siteTrace({ pages: PAGES, requests: REQUESTS, skew, ...tweaks });

/** How many points of a hundred ours is above LRU. */
function pointsAboveLru(trace: Trace, options?: ReplayOptions): number {
  const ours = hitRatio(CONTENDERS.ours(MAX_BYTES), trace, options);
  return ours - hitRatio(CONTENDERS.lru(MAX_BYTES), trace, options);
}

test.each([
  [0.8, 0.3, 10],
  [0.8, 0.5, 8],
  [0.9, 0.3, 10],
  [0.9, 0.5, 8],
  [1.0, 0.3, 9],
  [1.0, 0.5, 8],
  [1.1, 0.3, 8],
  [1.1, 0.5, 6],
])(
  'Zipf(%d) with one-hit URLs, %d of the requests: %d points above LRU',
  (skew, oneHits, points) => {
    expect(pointsAboveLru(site({ skew, oneHits }))).toBeGreaterThan(points);
  },
);

test.each([
  [0.8, 9],
  [0.9, 8],
  [1.0, 7],
  [1.1, 5],
])('Zipf(%d) with no one-hit URLs: %d points above LRU', (skew, points) => {
  expect(pointsAboveLru(site({ skew }))).toBeGreaterThan(points);
});

test('pages of one to a hundred kilobytes: 9 points above LRU', () => {
  const sizes = new Map<string, number>();
  const random = randomFrom(2);
  const sizeOf = (key: string) => {
    let size = sizes.get(key);
    if (size === undefined) {
      size = Math.ceil(200 / (1 - 0.99 * random()));
      sizes.set(key, size);
    }
    return size;
  };
  expect(pointsAboveLru(site({ oneHits: 0.3 }), { sizeOf })).toBeGreaterThan(9);
});

test('a crawler now and then: 6 points above LRU', () => {
  const trace = crawledTrace(site(), { every: REQUESTS / 10, length: 10 * ENTRIES });
  expect(pointsAboveLru(trace)).toBeGreaterThan(6);
});

test.each([
  [5000, 5],
  [20_000, 8],
])('entries that live for %d requests: %d points above LRU', (lifetime, points) => {
  expect(pointsAboveLru(site({ oneHits: 0.3 }), { lifetime })).toBeGreaterThan(points);
});

test('a loop that is a tenth too long: 70 points above LRU', () => {
  const trace = loopTrace({ pages: 1.1 * ENTRIES, requests: REQUESTS });
  expect(pointsAboveLru(trace)).toBeGreaterThan(70);
});

const ELSEWHERE: Record<string, () => [Trace, ReplayOptions?]> = {
  'a loop that fits': () => [loopTrace({ pages: 0.9 * ENTRIES, requests: REQUESTS })],
  'a loop far too long': () => [loopTrace({ pages: 3 * ENTRIES, requests: REQUESTS })],
  'a hot set that jumps': () => [site({ shiftEvery: REQUESTS / 10, shiftBy: 500 })],
  'a hot set that drifts': () => [site({ skew: 1, shiftEvery: 2000, shiftBy: 50 })],
  'a hot set that jumps, and one-hit URLs': () => [
    site({ shiftEvery: REQUESTS / 10, shiftBy: 500, oneHits: 0.3 }),
  ],
  'entries that hardly live': () => [site({ oneHits: 0.3 }), { lifetime: 1000 }],
  'pages asked for twice, soon': () => [
    echoTrace({ requests: REQUESTS, hotPages: 400, hotShare: 0.3, distance: 20 }),
  ],
};

test.each(Object.keys(ELSEWHERE))('%s: not a point worse than LRU', (what) => {
  expect(pointsAboveLru(...ELSEWHERE[what]!())).toBeGreaterThan(-1);
});

test.each(['ours', 'lru'] as const)('a scan of ten times the room, and a hot set: %s', (name) => {
  const cache = CONTENDERS[name](MAX_BYTES);
  const hot = loopTrace({ pages: 400, requests: 400 });
  for (let i = 0; i < 3; i++) hitRatio(cache, hot);
  const scan = Array.from({ length: 10 * ENTRIES }, (_, i) => `/scanned/${i}`);
  expect(hitRatio(cache, scan)).toBe(0);
  // Of all that is hot, but for one entry in 65: that many are spared at a time.
  const survivors = hitRatio(cache, hot);
  if (name === 'ours') expect(survivors).toBeGreaterThanOrEqual(98);
  else expect(survivors).toBe(0);
});
