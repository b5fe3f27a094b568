import fc from 'fast-check';
import { formatCacheStatus } from '../../src/http/cache-status';
import { normalizeHeader } from '../../src/http/normalize';
import { requestDirectives } from '../../src/http/request-directives';
import { parseTargetedCacheControl } from '../../src/http/targeted-cache-control';

describe('parseTargetedCacheControl() (RFC 9213 §2.1)', () => {
  const read = (value: string | string[] | undefined) =>
    parseTargetedCacheControl(value)?.map(({ name, value: text }) =>
      text === undefined ? name : `${name}=${text}`,
    );
  test.each<[string | string[] | undefined, string[] | undefined]>([
    ['max-age=60', ['max-age=60']],
    ['max-age=60, no-store', ['max-age=60', 'no-store']],
    [
      ['max-age=60', 'must-revalidate'],
      ['max-age=60', 'must-revalidate'],
    ],
    ['max-age=60;ext=1', ['max-age=60']],
    ['max-age=1, max-age=2', ['max-age=2']],
    ['no-store=?0, max-age=60', ['max-age=60']],
    ['max-age=1.5', []],
    ['max-age="60"', []],
    ['max-age=(1 2)', []],
    ['', undefined],
    [undefined, undefined],
    ['max-age=', undefined],
    ['max-age=60,', undefined],
    ['MAX-AGE=60', undefined],
    ['max-age = 60', undefined],
    ['"max-age"', undefined],
  ])('%j is %j', (value, expected) => {
    expect(read(value)).toEqual(expected);
  });

  test('never throws', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void read(text)));
  });
});

describe('requestDirectives() (RFC 9111 §5.2.1, §5.4)', () => {
  test.each<[string | undefined, string | undefined, object]>([
    [undefined, undefined, { noCache: false, noStore: false, onlyIfCached: false, maxStale: 0 }],
    ['no-cache', undefined, { noCache: true }],
    [undefined, 'no-cache', { noCache: true }],
    ['max-age=0', 'no-cache', { noCache: false, maxAge: 0 }],
    [undefined, 'no-store', { noStore: false }],
    ['No-Store', undefined, { noStore: true }],
    ['only-if-cached', undefined, { onlyIfCached: true }],
    ['max-age=10, min-fresh=5', undefined, { maxAge: 10, minFresh: 5 }],
    ['max-stale', undefined, { maxStale: Number.POSITIVE_INFINITY }],
    ['max-stale=30', undefined, { maxStale: 30 }],
    ['max-age=x', undefined, { maxAge: undefined }],
  ])('of %j and Pragma %j', (cacheControl, pragma, expected) => {
    expect(requestDirectives(cacheControl, pragma)).toMatchObject(expected);
  });
});

describe('normalizeHeader()', () => {
  test.each([
    ['accept-encoding', 'GZIP, br;q=0.5', false, 'br;q=0.5,gzip'],
    ['accept-language', 'DE , en ; q=0.5', false, 'de,en;q=0.5'],
    ['accept-language', 'en, de', false, 'en,de'],
    ['accept-language', 'en, de', true, 'de,en'],
    ['x-list', 'B, a', false, 'B, a'],
    ['x-list', 'B, a', true, 'B,a'],
    ['x-list', '"B, a"', true, '"B, a"'],
    ['cookie', 'a=1; b=2', false, 'a=1; b=2'],
  ])('%s: %s (bold: %s) is %s', (name, value, isBold, expected) => {
    expect(normalizeHeader(name, value, isBold)).toBe(expected);
  });

  test('comes to the same for what it has made', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('accept-encoding', 'accept-language', 'x-list'),
        fc.string(),
        fc.boolean(),
        (name, value, isBold) => {
          const once = normalizeHeader(name, value, isBold);
          expect(normalizeHeader(name, once, isBold)).toBe(once);
        },
      ),
    );
  });
});

describe('formatCacheStatus() (RFC 9211 §2)', () => {
  test.each([
    [{ hit: true, ttl: 30 }, 'c; hit; ttl=30'],
    [{ hit: true, ttl: -3, detail: 'error' }, 'c; hit; ttl=-3; detail=error'],
    [{ hit: true, collapsed: true }, 'c; hit; collapsed'],
    [{ fwd: 'uri-miss', stored: true, ttl: 9 }, 'c; fwd=uri-miss; stored; ttl=9'],
    [{ fwd: 'stale', fwdStatus: 304 }, 'c; fwd=stale; fwd-status=304'],
    [{ fwd: 'bypass' }, 'c; fwd=bypass'],
  ] as const)('%j is %s', (outcome, text) => {
    expect(formatCacheStatus('c', outcome)).toBe(text);
  });
});
