import { hasVaryHeader, patchVaryHeaders } from 'cachewright';
import { bareResponse } from '../support/bare-response';

type Existing = string | string[] | undefined;

const withVary = (vary: Existing) => bareResponse(vary === undefined ? {} : { Vary: vary });

describe('patchVaryHeaders()', () => {
  test.each<[fact: string, existing: Existing, names: string[], expected: string]>([
    ['VARY-01', undefined, ['Accept-Encoding'], 'Accept-Encoding'],
    ['VARY-01', 'Cookie', ['Accept-Encoding'], 'Cookie, Accept-Encoding'],
    ['VARY-01', undefined, ['Accept-Encoding', 'COOKIE'], 'Accept-Encoding, COOKIE'],
    ['VARY-01', ['Cookie', 'X-A'], ['X-B'], 'Cookie, X-A, X-B'],
    ['VARY-02', 'Accept-Encoding', ['ACCEPT-ENCODING'], 'Accept-Encoding'],
    ['VARY-03', 'Cookie    ,     Accept-Encoding', ['Cookie'], 'Cookie, Accept-Encoding'],
    ['VARY-04', '*', ['Cookie'], '*'],
    ['VARY-04', 'Cookie', ['*'], '*'],
    ['VARY-04', 'Cookie, *', ['X'], '*'],
    ['VARY-09', '', ['Cookie'], 'Cookie'],
  ])('(%s) %j and %j make %j', (_fact, existing, names, expected) => {
    const res = withVary(existing);
    patchVaryHeaders(res, names);
    expect(res.getHeader('Vary')).toBe(expected);
  });

  test('sets nothing where there is nothing to vary on', () => {
    const res = bareResponse();
    patchVaryHeaders(res, []);
    expect(res.hasHeader('Vary')).toBe(false);
  });

  test('refuses what is no header name', () => {
    const res = withVary('Cookie');
    expect(() => patchVaryHeaders(res, ['A, B'])).toThrow(TypeError);
    expect(res.getHeader('Vary')).toBe('Cookie');
  });
});

test.each<[names: unknown]>([['Cookie'], [undefined], [new Set(['Cookie'])], [[1]]])(
  'patchVaryHeaders(res, %j) is refused (D12)',
  (names) => {
    const res = withVary('Accept');
    const patch = () => patchVaryHeaders(res, names as string[]);
    expect(patch).toThrow(TypeError);
    expect(patch).toThrow("Give an array of header names: patchVaryHeaders(res, ['Cookie']).");
    expect(res.getHeader('Vary')).toBe('Accept');
  },
);

describe('hasVaryHeader()', () => {
  test.each<[vary: Existing, name: string, expected: boolean]>([
    [undefined, 'Cookie', false],
    ['Accept', 'Cookie', false],
    ['Cookie', 'Cookie', true],
    ['COOKIE', 'cookie', true],
    [' Accept ,  Cookie ', ' Cookie ', true],
    [['Accept', 'Cookie'], 'Cookie', true],
    ['X-Cookie', 'Cookie', false],
    ['*', '*', true],
  ])('%j has %j: %p (VARY-05)', (vary, name, expected) => {
    expect(hasVaryHeader(withVary(vary), name)).toBe(expected);
  });
});
