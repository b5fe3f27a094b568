import fc from 'fast-check';
import { parseCacheControl } from '../../src/http/cache-control';
import {
  firstSeconds,
  heuristicLifetime,
  initialAge,
  statedLifetime,
} from '../../src/http/freshness';
import type { HeaderValue } from '../../src/http/header-value';
import { formatHttpDate } from '../../src/http/http-date';
import { responsePolicy } from '../../src/http/response-policy';

const NOW = Date.UTC(2026, 0, 1);
const at = (seconds: number) => formatHttpDate(NOW + seconds * 1000);

const reading = (fields: Record<string, HeaderValue>) => (name: string) => fields[name];
const lifetime = (fields: Record<string, HeaderValue>) =>
  statedLifetime(responsePolicy(reading(fields)), reading(fields), NOW);

describe('the lifetime that a response states (RFC 9111 §4.2.1)', () => {
  test.each<[Record<string, HeaderValue>, [number, string] | undefined]>([
    [{}, undefined],
    [{ 'cache-control': 'max-age=60' }, [60, 'max-age']],
    [{ 'cache-control': 'max-age=60, s-maxage=30' }, [30, 's-maxage']],
    [{ 'cache-control': 's-maxage=0, max-age=60' }, [0, 's-maxage']],
    [{ 'cache-control': 'max-age=60', expires: at(-10) }, [60, 'max-age']],
    [{ 'cache-control': 'max-age=1, max-age=60' }, [1, 'max-age']],
    [{ 'cache-control': ['max-age=60', 'max-age=1'] }, [60, 'max-age']],
    [{ 'cache-control': 'extension="max-age=60"' }, undefined],
    [{ 'cache-control': 'max-age=abc' }, undefined],
    [{ expires: at(90), date: at(0) }, [90, 'expires']],
    [{ expires: at(90), date: at(30) }, [60, 'expires']],
    [{ expires: at(90), date: 'no date' }, [90, 'expires']],
    [{ expires: at(90) }, [90, 'expires']],
    [{ expires: at(-1), date: at(0) }, [0, 'expires']],
    [{ expires: '0' }, [0, 'expires']],
    [{ expires: 'never' }, [0, 'expires']],
    ...[
      'Thu, 18 Aug 2050 02:01:18 +0200',
      'Thu, 18 Aug 2050 02:01:18 +0000',
      'Thu, 18 Aug 2050 02:01:18 -00:00',
      'Thu, 18 Aug 2050 02:01:18 AEST',
      'Thu, 18 Aug 2050 02:01:18',
      'Thursday, 18-Aug-50 02:01:18',
      '2050-08-18T02:01:18Z',
      '2050-08-18T02:01:18+02:00',
      '2544400000',
    ].map((expires): [{ expires: string }, [number, string]] => [{ expires }, [0, 'expires']]),
    [{ expires: 'Fri, 31 Dec 9999 23:59:59 GMT' }, [2 ** 31 - 1, 'expires']],
    [{ 'cdn-cache-control': 'max-age=10', 'cache-control': 'max-age=60' }, [10, 'max-age']],
    [{ 'cdn-cache-control': 'max-age=10', 'cache-control': 'no-store' }, [10, 'max-age']],
    [{ 'cdn-cache-control': 'no-transform', expires: at(90) }, undefined],
    [{ 'cdn-cache-control': '', 'cache-control': 'max-age=60' }, [60, 'max-age']],
    [{ 'cdn-cache-control': 'max-age=', 'cache-control': 'max-age=60' }, [60, 'max-age']],
    [{ 'cdn-cache-control': 'max-age="10"', 'cache-control': 'max-age=60' }, undefined],
  ])('of %j is %j', (fields, expected) => {
    const stated = lifetime(fields);
    expect(stated && [stated.seconds, stated.source]).toEqual(expected);
  });
});

describe('the lifetime that is guessed (RFC 9111 §4.2.2)', () => {
  const guess = (status: number, fields: Record<string, HeaderValue>) =>
    heuristicLifetime(status, responsePolicy(reading(fields)), reading(fields), NOW)?.seconds;

  test.each<[number, Record<string, HeaderValue>, number | undefined]>([
    [200, { 'last-modified': at(-1000) }, 100],
    [200, { 'last-modified': at(-1000), date: at(-500) }, 50],
    [200, { 'last-modified': at(-10_000_000) }, 86_400],
    [200, { 'last-modified': at(10) }, undefined],
    [200, {}, undefined],
    [200, { 'last-modified': 'long ago' }, undefined],
    [404, { 'last-modified': at(-1000) }, 100],
    [302, { 'last-modified': at(-1000) }, undefined],
    [302, { 'last-modified': at(-1000), 'cache-control': 'public' }, 100],
    [599, { 'last-modified': at(-1000), 'cache-control': 'public' }, 100],
  ])('of %i with %j is %j', (status, fields, seconds) => {
    expect(guess(status, fields)).toBe(seconds);
  });
});

describe('the age on arrival (RFC 9111 §4.2.3)', () => {
  test.each<[Record<string, HeaderValue>, number, number]>([
    [{}, 0, 0],
    [{ age: '30' }, 0, 30],
    [{ age: '30' }, 5, 35],
    [{ date: at(-20) }, 0, 20],
    [{ date: at(20) }, 0, 0],
    [{ age: '10', date: at(-20) }, 0, 20],
    [{ age: '30', date: at(-20) }, 0, 30],
    [{ age: '0, 7200' }, 0, 0],
    [{ age: ['7200', '0'] }, 0, 7200],
    [{ age: 'abc' }, 0, 0],
    [{ age: '-5' }, 0, 0],
    [{ age: '7200.0' }, 0, 0],
    [{ age: '9'.repeat(30) }, 0, 2 ** 31 - 1],
  ])('of %j after %i seconds on the way is %i', (fields, delay, age) => {
    expect(initialAge(reading(fields), NOW - delay * 1000, NOW)).toBe(age);
  });
});

test('a lifetime is never negative, and never more than 2^31 - 1, whatever is sent', () => {
  const field = fc.option(fc.string({ unit: 'binary', maxLength: 40 }), { nil: undefined });
  fc.assert(
    fc.property(field, field, field, (cacheControl, expires, date) => {
      const stated = lifetime({ 'cache-control': cacheControl, expires, date });
      if (stated === undefined) return;
      expect(stated.seconds).toBeGreaterThanOrEqual(0);
      expect(stated.seconds).toBeLessThanOrEqual(2 ** 31 - 1);
    }),
  );
});

test('firstSeconds() of what is not there is undefined', () => {
  expect(firstSeconds(parseCacheControl('public'), 'max-age')).toBeUndefined();
});
