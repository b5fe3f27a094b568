import fc from 'fast-check';
import {
  directiveSeconds,
  type HeaderValue,
  hasDirective,
  MAX_DELTA_SECONDS,
  parseCacheControl,
  stringifyCacheControl,
} from '../../src/http/cache-control';

/** The directives as one string each, spelt as they were. */
function spelt(value: HeaderValue): string[] {
  return parseCacheControl(value).map((directive) => stringifyCacheControl([directive]));
}

describe('parseCacheControl()', () => {
  test.each<[what: string, value: HeaderValue, directives: string[]]>([
    ['no header', undefined, []],
    ['an empty one', '', []],
    ['a plain one', 'public, max-age=60', ['public', 'max-age=60']],
    ['odd spacing', ' public ,max-age=60,\t no-store ', ['public', 'max-age=60', 'no-store']],
    ['empty elements', ',, public,,', ['public']],
    ['several lines', ['public, a=1', 'max-age=60'], ['public', 'a=1', 'max-age=60']],
    ['a number', 5, ['5']],
    ['spelling', 'Public, Max-Age=07', ['Public', 'Max-Age=07']],
    ['unknown directives', 'x, max-age=1, y=2', ['x', 'max-age=1', 'y=2']],
    ['repeated ones', 'max-age=1, max-age=2, x, x', ['max-age=1', 'max-age=2', 'x', 'x']],
    ['commas in quotes (CC-10)', 'private="a, b", x="c,d"', ['private="a, b"', 'x="c,d"']],
    ['quotes in quotes', 'x="a\\", b\\\\", y', ['x="a\\", b\\\\"', 'y']],
    ['a quoted number', 'max-age="5"', ['max-age="5"']],
    ['a quote that is never closed', 'x="a, no-store, y', ['x="a', 'no-store', 'y']],
    ['one whose end is escaped', 'x="a, no-store\\", y', ['x="a', 'no-store\\"', 'y']],
    ['a quote within a value', 'x=a"b, no-store, c"', ['x=a"b', 'no-store', 'c"']],
    ['quotes left open in another line', ['x="a', 'no-store, y="'], ['x="a', 'no-store', 'y="']],
    ['space before a quoted value', 'private= "a, b", x', ['private= "a, b"', 'x']],
    ['more after the quotes', 'x="a, b"c, y', ['x="a, b"c', 'y']],
    ['an empty value', 'max-age=', ['max-age=']],
    ['no name', '=5, =', ['=5', '=']],
    ['more than one =', 'x=a=b', ['x=a=b']],
    ['names that objects have', '__proto__=1, constructor', ['__proto__=1', 'constructor']],
  ])('reads %s', (_what, value, directives) => {
    expect(spelt(value)).toEqual(directives);
  });

  test('tells a bare directive from one with an empty value', () => {
    expect(parseCacheControl('max-age, max-age=')).toEqual([
      { name: 'max-age', value: undefined },
      { name: 'max-age', value: '' },
    ]);
  });

  test('reads what the library understands as it reads the rest', () => {
    const element = fc.oneof(
      fc.constantFrom('public', 'private', 'no-store', 'no-cache', 'immutable', 'Public', 'other'),
      fc
        .tuple(
          fc.constantFrom('max-age', 's-maxage', 'stale-while-revalidate', 'Max-Age'),
          fc.oneof(fc.integer().map(String), fc.constantFrom('007', '1e3', '5.5', '"5"', '', '٣')),
        )
        .map((parts) => parts.join('=')),
    );
    fc.assert(
      fc.property(fc.array(element), (elements) => {
        const header = elements.join(', ');
        // The library does not know the last one, so that it has no say in this reading.
        const [...others] = parseCacheControl(`${header}, x-unknown`);
        expect(parseCacheControl(header)).toEqual(others.slice(0, -1));
        expect(spelt(header)).toEqual(elements);
      }),
    );
  });

  test('never throws, and what it reads it reads again from what is written', () => {
    const hostile = fc.string({ unit: fc.constantFrom(...'=",\\ \tab-1é') });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), hostile), (header) => {
        const directives = parseCacheControl(header);
        expect(parseCacheControl(stringifyCacheControl(directives))).toEqual(directives);
      }),
      { numRuns: 1000 },
    );
  });

  test('keeps every directive of a list that is written and read, on however many lines', () => {
    const token = fc.string({
      unit: fc.constantFrom(..."abcXYZ019!#$%&'*+-.^_`|~"),
      minLength: 1,
    });
    const quoted = fc
      .string({ unit: 'grapheme-ascii' })
      .map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`);
    const directive = fc.record({
      name: token,
      value: fc.option(fc.oneof(token, quoted), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(fc.array(directive)), (lines) => {
        expect(parseCacheControl(lines.map(stringifyCacheControl))).toEqual(lines.flat());
        expect(parseCacheControl(stringifyCacheControl(lines.flat()))).toEqual(lines.flat());
      }),
    );
  });

  // A header has 64 KB at most. In quadratic time, this many would take minutes.
  const SIZE = 480_000;
  test.each<[what: string, header: string, count: number]>([
    ['spaces', ' '.repeat(SIZE), 0],
    ['commas', ','.repeat(SIZE), 0],
    ['bare directives', 'a,'.repeat(SIZE / 2), SIZE / 2],
    ['directives that the library knows', 'max-age=9,'.repeat(SIZE / 10), SIZE / 10],
    ['quotes, each closed by the next', 'x=",'.repeat(SIZE / 4), SIZE / 8],
    ['quotes that are escaped', 'x="\\",'.repeat(SIZE / 6), SIZE / 12],
    ['escapes in a quote never closed', `x="${'\\"'.repeat(SIZE / 2)}`, 1],
    ['commas in a quote never closed', `x="${'a,'.repeat(SIZE / 2)}`, SIZE / 2],
    ['equals signs', '='.repeat(SIZE), 1],
    ['digits', `max-age=${'9'.repeat(SIZE)}`, 1],
  ])('comes to an end with half a megabyte of %s', (_what, header, count) => {
    const directives = parseCacheControl(header);
    expect(directives).toHaveLength(count);
    expect(parseCacheControl(stringifyCacheControl(directives))).toHaveLength(count);
  });
});

describe('hasDirective()', () => {
  test.each<[HeaderValue, string, boolean]>([
    ['no-store', 'no-store', true],
    ['No-Store', 'no-store', true],
    ['public, NO-STORE', 'No-Store', true],
    ['private="Set-Cookie"', 'private', true],
    ['no-store = 1', 'no-store', true],
    [['public', 'no-store'], 'no-store', true],
    ['x="no-store"', 'no-store', false],
    ['my-no-store, no-store-x', 'no-store', false],
    ['x=no-store', 'no-store', false],
    ['', '', false],
    [undefined, 'no-store', false],
  ])('of %j and %s is right', (value, name, expected) => {
    expect(hasDirective(parseCacheControl(value), name)).toBe(expected);
  });
});

describe('directiveSeconds()', () => {
  test.each<[HeaderValue, number | undefined]>([
    ['max-age=5', 5],
    ['MAX-AGE=7', 7],
    ['public, max-age=0', 0],
    ['max-age=005', 5],
    ['max-age=5, max-age=9', 9],
    ['max-age=9, Max-Age=5', 5],
    [['max-age=9', 'max-age=5'], 5],
    ['max-age=5, max-age=x', undefined],
    [undefined, undefined],
    ['', undefined],
    ['public', undefined],
    ['max-age', undefined],
    ['max-age=', undefined],
    ['max-age=5.5', undefined],
    ['max-age="5"', undefined],
    ['max-age = 5', undefined],
    ['max-age= 5', undefined],
    ['max-age =5', undefined],
    ['max-age=-5', undefined],
    ['max-age=+5', undefined],
    ['max-age=1e3', undefined],
    ['max-age=0x10', undefined],
    ['max-age=٣', undefined],
    ['s-maxage=3', undefined],
    ['x-max-age=3', undefined],
  ])('of %j is %p (CC-18)', (value, expected) => {
    expect(directiveSeconds(parseCacheControl(value), 'max-age')).toBe(expected);
  });

  test.each(['2147483648', '99999999999999999999', '9'.repeat(5000)])(
    'has a largest value (RFC 9111 §1.2.2)',
    (digits) => {
      const cacheControl = parseCacheControl(`max-age=${digits}`);
      expect(directiveSeconds(cacheControl, 'max-age')).toBe(MAX_DELTA_SECONDS);
    },
  );
});
