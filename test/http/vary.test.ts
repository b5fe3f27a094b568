import fc from 'fast-check';
import type { HeaderValue } from '../../src/http/header-value';
import { appendVary, parseVary, varyIncludes } from '../../src/http/vary';

describe('parseVary()', () => {
  test.each<[HeaderValue, string[]]>([
    [undefined, []],
    ['', []],
    [' , ,', []],
    ['Cookie', ['Cookie']],
    ['Cookie    ,\t Accept-Encoding ', ['Cookie', 'Accept-Encoding']],
    ['Cookie, COOKIE, cookie', ['Cookie']],
    [
      ['B, A', 'a, C'],
      ['B', 'A', 'C'],
    ],
    ['*', ['*']],
    ['A, *', ['A', '*']],
    [5, ['5']],
    ['__proto__, constructor', ['__proto__', 'constructor']],
  ])('of %j', (value, names) => {
    expect(parseVary(value)).toEqual(names);
  });

  test('comes to an end with half a megabyte of names', () => {
    const names = Array.from({ length: 60_000 }, (_, i) => `X-${i}`);
    expect(parseVary(names.join(' ,'))).toEqual(names);
    expect(parseVary(' '.repeat(500_000))).toEqual([]);
  });
});

describe('varyIncludes()', () => {
  test.each<[HeaderValue, string, boolean]>([
    [undefined, 'Cookie', false],
    ['', '', false],
    ['Cookie', 'COOKIE', true],
    [' Accept ,  cookie ', ' Cookie ', true],
    [['Accept', 'Cookie'], 'Cookie', true],
    ['Cookies, X-Cookie', 'Cookie', false],
    ['*', 'Cookie', false],
    ['A, *', '*', true],
  ])('of %j and %j is %p', (value, name, expected) => {
    expect(varyIncludes(value, name)).toBe(expected);
  });
});

describe('appendVary()', () => {
  test.each<[HeaderValue, string[], string]>([
    [undefined, ['Accept-Encoding'], 'Accept-Encoding'],
    [undefined, ['Accept-Encoding', 'COOKIE'], 'Accept-Encoding, COOKIE'],
    ['Accept-Encoding', ['accept-encoding', 'cookie'], 'Accept-Encoding, cookie'],
    ['Cookie', ['Accept-Encoding'], 'Cookie, Accept-Encoding'],
    ['Cookie, Accept-Encoding', ['Accept-Encoding', 'cookie'], 'Cookie, Accept-Encoding'],
    ['Cookie', [], 'Cookie'],
    [undefined, [], ''],
  ])('%j and %j make %j (VARY-01)', (existing, names, expected) => {
    expect(appendVary(existing, names)).toBe(expected);
  });

  test.each<[HeaderValue, string[], string]>([
    ['Accept-Encoding', ['ACCEPT-ENCODING'], 'Accept-Encoding'],
    ['Cookie, COOKIE', ['cookie'], 'Cookie'],
    [undefined, ['A', 'a'], 'A'],
  ])('keeps the first spelling: %j and %j make %j (VARY-02)', (existing, names, expected) => {
    expect(appendVary(existing, names)).toBe(expected);
  });

  test.each<[HeaderValue, string[], string]>([
    ['Cookie    ,     Accept-Encoding', ['Cookie'], 'Cookie, Accept-Encoding'],
    ['Cookie    ,     Accept-Encoding', ['X'], 'Cookie, Accept-Encoding, X'],
    [[' Cookie', 'Accept '], ['X'], 'Cookie, Accept, X'],
  ])('normalises spacing: %j and %j make %j (VARY-03)', (existing, names, expected) => {
    expect(appendVary(existing, names)).toBe(expected);
  });

  test.each<[HeaderValue, string[]]>([
    ['*', ['Accept-Language', 'Cookie']],
    ['Accept-Language, *', ['Cookie']],
    [' * ', []],
    [['Cookie', '*'], ['Cookie']],
    [undefined, ['*']],
    ['Accept-Language', ['*', 'Cookie']],
  ])('leaves `*` alone: %j and %j (VARY-04)', (existing, names) => {
    expect(appendVary(existing, names)).toBe('*');
  });

  test.each<[HeaderValue]>([[''], [' '], [','], [[]]])(
    'starts with a name where there was none: %j (VARY-09)',
    (existing) => {
      expect(appendVary(existing, ['Cookie'])).toBe('Cookie');
    },
  );

  test('refuses what is no header name', () => {
    expect(() => appendVary('Cookie', ['a b'])).toThrow(TypeError);
    expect(() => appendVary('Cookie', ['a\r\nb'])).toThrow(TypeError);
  });

  test('lists every name, old and new, once', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'A', 'b', '-'), minLength: 1 });
    fc.assert(
      fc.property(fc.array(name), fc.array(name), (existing, names) => {
        const result = parseVary(appendVary(existing.join(' ,'), names));
        const lower = (list: string[]) => list.map((item) => item.toLowerCase());
        expect(lower(result)).toEqual([...new Set(lower([...existing, ...names]))]);
      }),
    );
  });

  test('never throws for what a response may hold', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.array(fc.string())), (existing) => {
        expect(parseVary(appendVary(existing, ['Cookie']))).not.toHaveLength(0);
      }),
    );
  });
});
