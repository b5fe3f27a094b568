import type { HeaderValue } from '../../src/http/header-value';
import { responsePolicy } from '../../src/http/response-policy';
import { stalenessTerms } from '../../src/http/staleness';
import { refusalOf, withheldFields } from '../../src/http/storability';

type Fields = Record<string, HeaderValue>;

function refusal(
  fields: Fields,
  { status = 200, isStrict = false, hasCredentials = false, storesCookies = false } = {},
) {
  const field = (name: string) => fields[name];
  const policy = responsePolicy(field);
  return refusalOf({ status, policy, field, hasCredentials }, { storesCookies, isStrict });
}

const cc = (value: HeaderValue, more: Fields = {}): Fields => ({ 'cache-control': value, ...more });

describe.each([
  ['as Django', false],
  ['as RFC 9111', true],
])('%s', (_name, isStrict) => {
  test.each<[Fields, string | undefined]>([
    [{}, undefined],
    [cc('public, max-age=60'), undefined],
    [cc('private'), 'private'],
    [cc('PRIVATE'), 'private'],
    [cc(['max-age=60', 'Private']), 'private'],
    [cc('private; max-age=60'), 'private'],
    [cc('no-store'), 'no-store'],
    [cc('no-cache'), 'no-cache'],
    [cc('x="no-store"'), undefined],
    [{ vary: '*' }, 'vary-star'],
    [{ vary: 'Accept , *' }, 'vary-star'],
    [{ 'set-cookie': ['a=1'] }, 'set-cookie'],
    [cc('no-store', { 'cdn-cache-control': 'max-age=60' }), undefined],
    [cc('max-age=60', { 'cdn-cache-control': 'no-store' }), 'no-store'],
  ])('%j: %s', (fields, expected) => {
    expect(refusal(fields, { isStrict })).toBe(expected);
  });

  test.each([
    [206, 'partial'],
    [304, 'status'],
    [103, 'status'],
    [999, 'status'],
    [404, undefined],
  ])('status %i: %s', (status, expected) => {
    expect(refusal({}, { isStrict, status })).toBe(expected);
  });

  test('cookies are stored if asked to, but for a response that varies on them', () => {
    const fields = { 'set-cookie': ['a=1'] };
    expect(refusal(fields, { isStrict, storesCookies: true })).toBeUndefined();
    expect(refusal({ ...fields, vary: 'Cookie' }, { isStrict, storesCookies: true })).toBe(
      'set-cookie',
    );
  });

  test('must-understand is for those who know the status (RFC 9111 §5.2.2.3)', () => {
    expect(refusal(cc('must-understand'), { isStrict, status: 299 })).toBe('must-understand');
    expect(refusal(cc('must-understand, no-store'), { isStrict })).toBe(
      isStrict ? undefined : 'no-store',
    );
  });
});

test.each<[Fields, string | undefined, string | undefined]>([
  [cc('private="Set-Cookie"'), 'private', undefined],
  [cc('no-cache="Link"'), 'no-cache', undefined],
  [cc('no-cache', { etag: '"a"' }), 'no-cache', undefined],
  [cc('no-cache', { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' }), 'no-cache', undefined],
])('%j: %s as Django, %s as RFC 9111', (fields, django, strict) => {
  expect(refusal(fields)).toBe(django);
  expect(refusal(fields, { isStrict: true })).toBe(strict);
});

test.each([
  ['max-age=60', 'authorization'],
  ['public', undefined],
  ['s-maxage=60', undefined],
  ['must-revalidate', undefined],
])('with credentials, %s: %s (RFC 9111 §3.5)', (value, strict) => {
  expect(refusal(cc(value), { isStrict: true, hasCredentials: true })).toBe(strict);
  // There, it is kept for those credentials alone (PAGE-17).
  expect(refusal(cc(value), { hasCredentials: true })).toBeUndefined();
});

test('withheldFields() are those that a qualified directive names', () => {
  const policy = responsePolicy(
    (name) => cc('private="Set-Cookie, X-A", no-cache=link, max-age=60')[name],
  );
  expect([...withheldFields(policy)].sort()).toEqual(['link', 'set-cookie', 'x-a']);
});

describe('what may be done with it once stale (RFC 9111 §4.2.4, RFC 5861)', () => {
  const defaults = { staleWhileRevalidate: 10, staleIfError: 20 };
  const terms = (value: string) =>
    stalenessTerms(
      responsePolicy((name) => cc(value)[name]),
      defaults,
    );

  test.each([
    ['max-age=60', 10, 20],
    ['max-age=60, stale-while-revalidate=5', 5, 20],
    ['max-age=60, stale-if-error=0', 10, 0],
    ['s-maxage=60', 0, 0],
    ['s-maxage=60, stale-while-revalidate=5', 5, 0],
    ['max-age=60, must-revalidate, stale-while-revalidate=5', 0, 0],
    ['max-age=60, proxy-revalidate', 0, 0],
  ])('%s: %i seconds meanwhile, %i on error', (value, meanwhile, onError) => {
    const { staleWhileRevalidate, staleIfError } = terms(value);
    expect([staleWhileRevalidate, staleIfError]).toEqual([meanwhile, onError]);
  });

  test('no-cache is validated each time, qualified it is not', () => {
    expect(terms('no-cache').alwaysValidate).toBe(true);
    expect(terms('no-cache="Link"').alwaysValidate).toBe(false);
    expect(terms('max-age=60').alwaysValidate).toBe(false);
  });
});
