import fc from 'fast-check';
import type { HeaderValue } from '../../src/http/header-value';
import { formatHttpDate, parseHttpDate } from '../../src/http/http-date';

const NOV_6 = Date.UTC(1994, 10, 6, 8, 49, 37);

describe('parseHttpDate()', () => {
  test.each<[HeaderValue, number]>([
    ['Sun, 06 Nov 1994 08:49:37 GMT', NOV_6],
    ['Sunday, 06-Nov-94 08:49:37 GMT', NOV_6],
    ['Sun Nov  6 08:49:37 1994', NOV_6],
    ['Sun Nov 16 08:49:37 1994', NOV_6 + 10 * 86_400_000],
    ['Sun, 06 Nov 1994 08:49:37 UTC', NOV_6],
    ['sun, 06 NOV 1994 08:49:37 gmt', NOV_6],
    [' Sun, 06 Nov 1994 08:49:37 GMT ', NOV_6],
    [['Sun, 06 Nov 1994 08:49:37 GMT'], NOV_6],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['Thu, 29 Feb 2024 23:59:60 GMT', Date.UTC(2024, 2, 1)],
  ])('reads %j', (value, expected) => {
    expect(parseHttpDate(value)).toBe(expected);
  });

  test.each([
    'Sun, 06 Nov 1994 08:49:37',
    'Sunday, 06-Nov-94 08:49:37',
    'Sun Nov  6 08:49:37 1994',
  ])('takes %j, which has no zone, for UTC (COND-18)', (value) => {
    expect(parseHttpDate(value)).toBe(NOV_6);
  });

  test.each<[HeaderValue]>([
    [undefined],
    [''],
    [0],
    ['0'],
    ['-1'],
    ['now'],
    ['1994-11-06T08:49:37Z'],
    ['Sun, 32 Oct 1994 08:49:37 GMT'],
    ['Sun, 31 Feb 1994 08:49:37 GMT'],
    ['Sun, 29 Feb 2023 08:49:37 GMT'],
    ['Sun, 00 Nov 1994 08:49:37 GMT'],
    ['Sun, 06 Nov 0094 08:49:37 GMT'],
    ['Sun, 06 Foo 1994 08:49:37 GMT'],
    ['Sun, 06 Nov 1994 24:00:00 GMT'],
    ['Sun, 06 Nov 1994 08:60:00 GMT'],
    ['Sun, 06 Nov 1994 08:49:61 GMT'],
    ['Sun, 06 Nov 1994 08:49:37 PST'],
    ['Sun, 06 Nov 1994 08:49:37 +0000'],
    ['Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT'],
    [['Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:37 GMT']],
  ])('knows that %j is no date', (value) => {
    expect(parseHttpDate(value)).toBeUndefined();
  });

  test.each([
    ['26', 2026],
    ['75', 2075],
    ['76', 2076],
    ['77', 1977],
    ['99', 1999],
    ['00', 2000],
  ])('places the year %s at most 50 years ahead (RFC 9110 §5.6.7)', (digits, year) => {
    const now = Date.UTC(2026, 5, 1);
    const read = parseHttpDate(`Friday, 01-Jan-${digits} 00:00:00 GMT`, now);
    expect(read).toBe(Date.UTC(year, 0, 1));
  });

  test.each([
    ['69', 2069],
    ['70', 1970],
  ])('takes the year %s for %i where the present is not given', (digits, year) => {
    expect(parseHttpDate(`Friday, 01-Jan-${digits} 00:00:00 GMT`)).toBe(Date.UTC(year, 0, 1));
  });

  test('never throws, and comes to an end', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(parseHttpDate(value)).toBeUndefined();
      }),
    );
    expect(parseHttpDate(' '.repeat(500_000))).toBeUndefined();
    expect(parseHttpDate(`Sun, ${'0'.repeat(500_000)}`)).toBeUndefined();
  });
});

describe('formatHttpDate()', () => {
  test('writes whole seconds in GMT', () => {
    expect(formatHttpDate(NOV_6)).toBe('Sun, 06 Nov 1994 08:49:37 GMT');
    expect(formatHttpDate(NOV_6 + 999)).toBe('Sun, 06 Nov 1994 08:49:37 GMT');
  });

  test('ends with the last year of four digits', () => {
    expect(formatHttpDate(Number.MAX_SAFE_INTEGER)).toBe('Fri, 31 Dec 9999 23:59:59 GMT');
  });

  test('writes what parseHttpDate() reads', () => {
    const seconds = fc.integer({ min: Date.UTC(1000) / 1000, max: Date.UTC(9999, 11, 31) / 1000 });
    fc.assert(
      fc.property(seconds, (at) => {
        expect(parseHttpDate(formatHttpDate(at * 1000))).toBe(at * 1000);
      }),
    );
  });
});
