import fc from 'fast-check';
import { ifRangeHolds, parseRanges } from '../../src/http/ranges';

describe('parseRanges() (RFC 9110 §14.1.2)', () => {
  test.each<[string | string[] | undefined, [number, number][] | undefined]>([
    ['bytes=0-0', [[0, 0]]],
    ['bytes=0-4', [[0, 4]]],
    ['bytes=5-', [[5, 9]]],
    ['bytes=-3', [[7, 9]]],
    ['bytes=-99', [[0, 9]]],
    ['bytes=0-99', [[0, 9]]],
    ['BYTES=1-2', [[1, 2]]],
    [
      'bytes=0-1,8-9',
      [
        [0, 1],
        [8, 9],
      ],
    ],
    [
      'bytes=8-9, 0-1',
      [
        [8, 9],
        [0, 1],
      ],
    ],
    ['bytes=0-1,50-60', [[0, 1]]],
    ['bytes=10-', []],
    ['bytes=50-60', []],
    ['bytes=-0', []],
    ['bytes=0-5,3-7', undefined],
    ['bytes=0-,0-', undefined],
    ['bytes=5-2', undefined],
    ['bytes=', []],
    ['bytes=a-b', undefined],
    ['bytes=1', undefined],
    ['bytes 0-1', undefined],
    ['lines=0-1', undefined],
    [`bytes=${Array.from({ length: 17 }, (_, i) => `${i}-${i}`).join()}`, undefined],
    [['bytes=0-0', 'bytes=1-1'], undefined],
    [undefined, undefined],
  ])('%j of ten bytes', (value, expected) => {
    const ranges = parseRanges(value, 10);
    expect(ranges?.map(({ first, last }) => [first, last])).toEqual(expected);
  });

  test('gives parts of the body, apart from each other, whatever is asked', () => {
    const spec = fc.oneof(
      fc.tuple(fc.nat(300), fc.nat(300)).map(([a, b]) => `${a}-${b}`),
      fc.nat(300).map((a) => `${a}-`),
      fc.nat(300).map((a) => `-${a}`),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(spec, { maxLength: 20 }), fc.nat(200), (specs, length) => {
        const ranges = parseRanges(`bytes=${specs.join()}`, length) ?? [];
        const sorted = ranges.toSorted((a, b) => a.first - b.first);
        for (const [i, { first, last }] of sorted.entries()) {
          expect(first).toBeLessThanOrEqual(last);
          expect(last).toBeLessThan(length);
          if (i > 0) expect(first).toBeGreaterThan(sorted[i - 1]!.last);
        }
      }),
    );
  });
});

describe('ifRangeHolds() (RFC 9110 §13.1.5)', () => {
  const DATE = 'Mon, 01 Jan 2024 00:00:00 GMT';
  const state = { etag: '"v1"', lastModifiedAt: Date.parse(DATE) };
  test.each([
    [undefined, true],
    ['"v1"', true],
    ['"v2"', false],
    ['W/"v1"', false],
    [DATE, true],
    ['Tue, 02 Jan 2024 00:00:00 GMT', false],
    ['nonsense', false],
  ])('%j', (value, expected) => {
    expect(ifRangeHolds(value, state)).toBe(expected);
  });
  test('a weak tag never holds', () => {
    expect(ifRangeHolds('W/"v1"', { etag: 'W/"v1"' })).toBe(false);
  });
});
