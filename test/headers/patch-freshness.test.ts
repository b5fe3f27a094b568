import { addNeverCacheHeaders } from 'cachewright';
import { patchFreshnessHeaders } from '../../src/headers/patch-freshness';
import { formatHttpDate } from '../../src/http/http-date';
import { bareResponse } from '../support/bare-response';
import { stopClock } from '../support/clock';

const clock = stopClock();

describe('patchFreshnessHeaders()', () => {
  test.each<[seconds: number, existing: string | undefined, cacheControl: string, lead: number]>([
    [60, undefined, 'max-age=60', 60],
    [0, undefined, 'max-age=0', 0],
    [60, 'public', 'public, max-age=60', 60],
    [60, 'max-age=10', 'max-age=10', 60],
    [60, 'max-age=100', 'max-age=60', 60],
    [1.9, undefined, 'max-age=1', 1],
    [1e15, undefined, 'max-age=2147483647', 2147483647],
  ])('of %p seconds on %j', (seconds, existing, cacheControl, lead) => {
    const res = bareResponse(existing === undefined ? {} : { 'Cache-Control': existing });
    patchFreshnessHeaders(res, seconds);
    expect(res.getHeader('Cache-Control')).toBe(cacheControl);
    expect(res.getHeader('Expires')).toBe(formatHttpDate(clock.now() + lead * 1000));
  });

  test('takes less than 0 for 0 (CC-19)', () => {
    const res = bareResponse();
    patchFreshnessHeaders(res, -5);
    expect(res.getHeader('Cache-Control')).toBe('max-age=0');
    expect(res.getHeader('Expires')).toBe(formatHttpDate(clock.now()));
  });

  test('keeps an Expires that is there (CC-19)', () => {
    const res = bareResponse({ Expires: 'some day' });
    patchFreshnessHeaders(res, 60);
    expect(res.getHeader('Expires')).toBe('some day');
    expect(res.getHeader('Cache-Control')).toBe('max-age=60');
  });
});

describe('addNeverCacheHeaders()', () => {
  test('says so in every way, and expires at once (CC-16)', () => {
    const res = bareResponse();
    addNeverCacheHeaders(res);
    expect(res.getHeader('Cache-Control')).toBe(
      'max-age=0, no-cache, no-store, must-revalidate, private',
    );
    expect(res.getHeader('Expires')).toBe(formatHttpDate(clock.now()));
  });

  test('keeps an Expires that is there (CC-16)', () => {
    const res = bareResponse({ Expires: 'some day' });
    addNeverCacheHeaders(res);
    expect(res.getHeader('Expires')).toBe('some day');
  });

  test('overrides what was to be cached (CC-17)', () => {
    const res = bareResponse({ 'Cache-Control': 'public, max-age=99' });
    addNeverCacheHeaders(res);
    expect(res.getHeader('Cache-Control')).toBe(
      'max-age=0, no-cache, no-store, must-revalidate, private',
    );
  });
});
