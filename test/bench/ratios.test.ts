import { busyOf, compare, median } from '../../bench/harness/ratios';
import { turnsOf } from './turns-of';

test('the median of an even number of figures lies between the two in the middle', () => {
  expect(median([9, 1, 3, 5])).toBe(4);
  expect(median([9, 1, 3])).toBe(3);
});

test('servers are compared round by round, as the machine may be slower in some', () => {
  // Beside medians of each, which are 200 and 100, the second is never half as fast.
  const { ratio } = compare(turnsOf(400, 200, 100), turnsOf(300, 100, 90));
  expect(ratio).toBeCloseTo(4 / 3);
});

test('requests a second count where both had their processor all the time', () => {
  const own = turnsOf(300).map((turn) => ({ ...turn, cpuUs: 1 }));
  const { byRate, byCpu, ratio, counts } = compare(own, turnsOf(100));
  expect({ byRate, byCpu, ratio, counts }).toEqual({
    byRate: 3,
    byCpu: 10_000,
    ratio: 3,
    counts: 'rate',
  });
});

test.each([
  ['the one', 0.9, 1],
  ['the other', 1, 0.9],
])('CPU time counts where %s was waiting', (_which, busy, otherBusy) => {
  const own = turnsOf(300).map((turn) => ({ ...turn, cpuUs: 20, busy }));
  const others = turnsOf(100).map((turn) => ({ ...turn, cpuUs: 10, busy: otherBusy }));
  expect(compare(own, others)).toMatchObject({ byRate: 3, ratio: 0.5, counts: 'cpu' });
});

test('requests a second count where CPU time is not known of both', () => {
  const own = turnsOf(300).map((turn) => ({ ...turn, cpuUs: undefined, busy: undefined }));
  const others = turnsOf(100).map((turn) => ({ ...turn, busy: 0.5 }));
  expect(compare(own, others)).toMatchObject({ byCpu: undefined, ratio: 3, counts: 'rate' });
  expect(busyOf(own)).toBe(1);
});
