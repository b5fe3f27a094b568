import fc from 'fast-check';
import { parseCacheGroups } from '../../src/http/cache-groups';

describe('parseCacheGroups() (RFC 9875 §2)', () => {
  test.each<[string | string[] | undefined, string[]]>([
    ['"a"', ['a']],
    ['"a", "b"', ['a', 'b']],
    ['  "a"\t,"b"  ', ['a', 'b']],
    [
      ['"a", "b"', '"c"'],
      ['a', 'b', 'c'],
    ],
    ['"A", "a", "A"', ['A', 'a']],
    ['"a,b", "c d", ""', ['a,b', 'c d', '']],
    ['"a\\"b", "a\\\\b"', ['a"b', 'a\\b']],
    ['"a";b;c=1, "d";e="f"', ['a', 'd']],
    ['', []],
    [undefined, []],
    // Not valid, or not a list of strings: ignored, and all of it.
    ['a', []],
    ['"a", b', []],
    ['"a", 1', []],
    ['"a", ?1', []],
    ['"a", ("b" "c")', []],
    ['"a", :YQ==:', []],
    ['"a",', []],
    ['"a" "b"', []],
    ['"a', []],
    ['"a", "b\\c"', []],
    ['"\u00e4"', []],
    [['"a"', 'b'], []],
    [['"a', 'b"'], ['a, b']],
  ])('%j names %j', (value, expected) => {
    expect(parseCacheGroups(value)).toEqual(expected);
  });

  test('takes the 32 groups of 32 characters that every cache must support, and more', () => {
    const names = (count: number, length: number) =>
      Array.from({ length: count }, (_, i) => String(i).padStart(length, 'x'));
    for (const groups of [names(32, 32), names(200, 500)]) {
      const field = groups.map((group) => `"${group}"`).join(', ');
      expect(parseCacheGroups(field)).toEqual(groups);
    }
  });

  test('never throws', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseCacheGroups(text)));
  });
});
