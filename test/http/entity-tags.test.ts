import fc from 'fast-check';
import { matchesStrongly, matchesWeakly, parseEtags, quoteEtag } from '../../src/http/entity-tags';
import type { HeaderValue } from '../../src/http/header-value';

describe('parseEtags()', () => {
  test.each<[HeaderValue, string[]]>([
    ['"" ,  "etag", "e\\\\tag", W/"weak"', ['""', '"etag"', '"e\\\\tag"', 'W/"weak"']],
    ['*', ['*']],
    [' * ', ['*']],
    [undefined, []],
    ['', []],
    ['"a","b"', ['"a"', '"b"']],
    [
      ['"a"', 'W/"b"'],
      ['"a"', 'W/"b"'],
    ],
    ['"a, b", "c"', ['"a, b"', '"c"']],
    ['unquoted, "a", w/"lower", "b"', ['"a"', '"b"']],
    ['"a" "b", "c"', ['"c"']],
    ['"""', []],
    ['"open, "a"', []],
    ['*, "a"', ['"a"']],
  ])('of %j (COND-19)', (value, tags) => {
    expect(parseEtags(value)).toEqual(tags);
  });

  test('reads every list of tags that is written', () => {
    const tag = fc
      .tuple(fc.constantFrom('', 'W/'), fc.string({ unit: fc.constantFrom(...'a,\\ *W/é') }))
      .map(([weak, text]) => `${weak}"${text}"`);
    fc.assert(
      fc.property(fc.array(tag), (tags) => {
        expect(parseEtags(tags.join(', '))).toEqual(tags);
        expect(parseEtags(tags)).toEqual(tags);
      }),
    );
  });

  test('never throws, and comes to an end', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'"W/, *a') }), (value) => {
        for (const tag of parseEtags(value)) expect(value).toContain(tag);
      }),
    );
    expect(parseEtags('",'.repeat(250_000))).toHaveLength(125_000);
    expect(parseEtags('W/"a",'.repeat(80_000))).toHaveLength(80_000);
    expect(parseEtags(`"${'a,'.repeat(250_000)}`)).toEqual([]);
  });
});

describe('quoteEtag()', () => {
  test.each([
    ['etag', '"etag"'],
    ['"etag"', '"etag"'],
    ['W/"etag"', 'W/"etag"'],
    ['W/etag', '"W/etag"'],
    ['', '""'],
    ['a b', '"a b"'],
  ])('of %j is %j (COND-17)', (tag, quoted) => {
    expect(quoteEtag(tag)).toBe(quoted);
  });

  test.each(['a"b', '"open', 'a\nb', 'a\r\nX: 1', '世界'])('refuses %j', (tag) => {
    expect(() => quoteEtag(tag)).toThrow(/ETag .* Give a hash/);
  });
});

describe('comparison (RFC 9110 §8.8.3.2)', () => {
  test.each([
    ['W/"1"', 'W/"1"', false, true],
    ['W/"1"', 'W/"2"', false, false],
    ['W/"1"', '"1"', false, true],
    ['"1"', 'W/"1"', false, true],
    ['"1"', '"1"', true, true],
    ['"1"', '"11"', false, false],
  ])('of %s and %s', (one, other, strongly, weakly) => {
    expect(matchesStrongly(one, ['"x"', other])).toBe(strongly);
    expect(matchesWeakly(one, ['"x"', other])).toBe(weakly);
  });
});
