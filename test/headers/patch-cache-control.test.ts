import { type CacheControlDirectives, getMaxAge, patchCacheControl } from 'cachewright';
import { bareResponse } from '../support/bare-response';

type Existing = string | string[] | undefined;

function patched(existing: Existing, ...patches: CacheControlDirectives[]): unknown {
  const res = bareResponse(existing === undefined ? {} : { 'Cache-Control': existing });
  for (const directives of patches) patchCacheControl(res, directives);
  return res.getHeader('Cache-Control');
}

describe('patchCacheControl()', () => {
  test.each<[Existing]>([[undefined], [''], ['  ']])('starts from %j (CC-01)', (existing) => {
    expect(patched(existing, { private: true })).toBe('private');
  });

  test('writes a bare directive for `true` only, else its value (CC-02)', () => {
    const directives = { noStore: true, one: 1, text: 'true', zero: 0, empty: '', yes: 'a b' };
    expect(patched(undefined, directives)).toBe(
      'no-store, one=1, text=true, zero=0, empty="", yes="a b"',
    );
  });

  test('puts hyphens where names have humps or underscores (CC-02)', () => {
    const directives = {
      sMaxage: 1,
      mustRevalidate: true,
      staleWhileRevalidate: 2,
      stale_if_error: 3,
      'x-Own': true,
      Public: true,
    };
    expect(patched(undefined, directives)).toBe(
      's-maxage=1, must-revalidate, stale-while-revalidate=2, stale-if-error=3, x-own, public',
    );
  });

  test.each([
    ['a, b="c", d', String.raw`"a, b=\"c\", d"`],
    ['"quoted, as it is"', '"quoted, as it is"'],
    ['=', '"="'],
    ['"', String.raw`"\""`],
    ['\\', String.raw`"\\"`],
    [' ', '" "'],
    ['1e+21', '1e+21'],
    ['007', '007'],
  ])('adds the value %j as %s, at first and once more', (own, sent) => {
    for (let i = 0; i < 2; i += 1) {
      expect(patched('public', { own, noStore: true })).toBe(`public, own=${sent}, no-store`);
    }
  });

  test('loses nothing beside a line break, which Node lets stand on HTTP/2', () => {
    let value = 'private\nodd';
    const res = { getHeader: () => value, setHeader: (_: string, set: string) => (value = set) };
    patchCacheControl(res as never, { noStore: true });
    expect(value).toBe('private\nodd, no-store');
  });

  test('gathers the fields that no-cache is for (CC-03)', () => {
    const fields = ['Set-Cookie', 'Link', 'Link', 'Custom'].map((noCache) => ({ noCache }));
    expect(patched(undefined, ...fields)).toBe(
      'no-cache=Set-Cookie, no-cache=Link, no-cache=Custom',
    );
    expect(patched('no-cache=Set-Cookie, public', { noCache: 'Link' })).toBe(
      'no-cache=Set-Cookie, public, no-cache=Link',
    );
  });

  test.each<[Existing, CacheControlDirectives[], string]>([
    ['no-cache', [{ noCache: 'Link' }], 'no-cache'],
    ['no-cache=Link, no-cache="A, B", public', [{ noCache: true }], 'no-cache, public'],
    ['NO-CACHE, no-cache=Link', [{ noCache: 'X' }], 'no-cache'],
    [undefined, [{ noCache: 'Link' }, { noCache: true }, { noCache: 'X' }], 'no-cache'],
  ])('lets a bare no-cache cover all fields: %j and %j make %j (CC-04)', (existing, all, value) => {
    expect(patched(existing, ...all)).toBe(value);
  });

  test.each<[Existing, CacheControlDirectives, string]>([
    ['private', { private: true }, 'private'],
    ['private', { public: true }, 'public'],
    ['Private', { public: true }, 'public'],
    ['public', { public: true }, 'public'],
    ['public', { private: true }, 'private'],
    ['must-revalidate,max-age=60,private', { public: true }, 'must-revalidate, max-age=60, public'],
    [
      'must-revalidate,max-age=60,public',
      { private: true },
      'must-revalidate, max-age=60, private',
    ],
    ['must-revalidate,max-age=60', { public: true }, 'must-revalidate, max-age=60, public'],
    ['private', { public: false }, 'private'],
    ['private', { public: undefined, maxAge: 1 }, 'private, max-age=1'],
  ])('replaces private by public and back: %j and %j make %j (CC-05)', (existing, added, value) => {
    expect(patched(existing, added)).toBe(value);
  });

  test('sends both private and public if asked for both at once (CC-06)', () => {
    expect(patched(undefined, { private: true, public: true })).toBe('private, public');
  });

  test.each<[Existing, number | string, string]>([
    ['Max-Age=10', 60, 'max-age=10'],
    ['max-age=100', 60, 'max-age=60'],
    ['max-age=60', 60, 'max-age=60'],
    ['max-age=0', 60, 'max-age=0'],
    ['max-age=10', 0, 'max-age=0'],
    ['max-age=10', '60', 'max-age=10'],
    ['max-age=5, public, max-age=100', 60, 'max-age=60, public'],
  ])('keeps the smaller max-age: %j and %j make %j (CC-07)', (existing, maxAge, value) => {
    expect(patched(existing, { maxAge: maxAge as number })).toBe(value);
  });

  test.each<[Existing, CacheControlDirectives, string]>([
    ['s-maxage=5', { sMaxage: 10 }, 's-maxage=10'],
    ['a=1, S-MaxAge=50, b', { sMaxage: 10 }, 'a=1, s-maxage=10, b'],
    ['own="x, y", thing', { maxAge: 1 }, 'own="x, y", thing, max-age=1'],
    ['own=1, own=2, b, own', { own: 3 }, 'own=3, b'],
  ])('replaces values, and keeps what it does not know: %j and %j make %j (CC-08)', (...all) => {
    const [existing, added, value] = all;
    expect(patched(existing, added)).toBe(value);
  });

  test('leaves out what is false, null or undefined (CC-09)', () => {
    const directives = { public: false, maxAge: null, sMaxage: undefined, noStore: true };
    expect(patched('public', directives)).toBe('public, no-store');
    expect(patched(undefined, { public: false })).toBeUndefined();
  });

  test('keeps quoted lists together, and quotes what needs it (CC-10)', () => {
    expect(patched('private="a, b", x', { maxAge: 1 })).toBe('private="a, b", x, max-age=1');
    expect(patched(undefined, { private: 'a, b' })).toBe('private="a, b"');
    expect(patched(undefined, { private: '"a, b"' })).toBe('private="a, b"');
    expect(patched(undefined, { own: 'say "hi"\\' })).toBe('own="say \\"hi\\"\\\\"');
  });

  test.each(['max-age=x', 'max-age', 'max-age=', 'max-age="5"', 'max-age = 5', 'max-age=-1'])(
    'replaces %s, which is no lifetime (CC-11)',
    (existing) => {
      expect(patched(existing, { maxAge: 60 })).toBe('max-age=60');
    },
  );

  test('sets no empty header (CC-12)', () => {
    expect(patched(undefined, {})).toBeUndefined();
    expect(patched('  odd ,spacing', {})).toBe('  odd ,spacing');
  });

  test('joins several lines', () => {
    expect(patched(['public, max-age=9', 'own'], { maxAge: 5 })).toBe('public, max-age=5, own');
  });

  test.each<[what: string, directives: Record<string, unknown>, message: RegExp]>([
    ['text for seconds', { maxAge: '5 min' }, /maxAge: "5 min"\. Give whole seconds/],
    ['a fraction', { maxAge: 1.5 }, /maxAge: 1\.5/],
    ['a negative number', { sMaxage: -1 }, /sMaxage: -1/],
    ['no number', { staleIfError: Number.NaN }, /staleIfError: NaN/],
    ['endless seconds', { staleWhileRevalidate: Infinity }, /staleWhileRevalidate: Infinity/],
    ['a bare max-age', { maxAge: true }, /maxAge: true/],
    ['an infinite value', { own: Infinity }, /own: Infinity/],
    ['a list', { noCache: ['Link'] }, /noCache: \["Link"\]/],
    ['a line break', { own: 'a\r\nSet-Cookie: b' }, /own: "a\\r\\nSet-Cookie: b"/],
    ['a character beyond Latin-1', { own: '世' }, /own: "世"/],
    ['a name with a space', { 'my own': true }, /option "my own"/],
    ['an empty name', { '': true }, /option ""/],
    ['a list of directives', ['no-store'] as never, /\["no-store"\].* \{ noStore: true \}/],
    ['a text', 'private' as never, /"private".* \{ private: true \}/],
    ['a misspelt name', { noStored: true }, /Did you mean noStore\?/],
    ['a text for a directive without value', { noStore: 'yes' }, /noStore: "yes"\. Give true/],
  ])('refuses %s', (_what, directives, message) => {
    const patch = () => patched('public', directives as CacheControlDirectives);
    expect(patch).toThrow(TypeError);
    expect(patch).toThrow(/^patchCacheControl\(\) got /);
    expect(patch).toThrow(message);
  });
});

describe('getMaxAge()', () => {
  test.each<[Existing, number | undefined]>([
    ['max-age=5', 5],
    ['MAX-AGE=7', 7],
    ['public, max-age=0', 0],
    ['max-age=5, max-age=9', 9],
    [['max-age=5', 'max-age=9'], 9],
    [undefined, undefined],
    ['max-age=', undefined],
    ['max-age=5.5', undefined],
    ['max-age="5"', undefined],
    ['max-age = 5', undefined],
    ['s-maxage=3', undefined],
    ['max-age', undefined],
  ])('of %j is %p (CC-18)', (value, expected) => {
    const res = bareResponse(value === undefined ? {} : { 'Cache-Control': value });
    expect(getMaxAge(res)).toBe(expected);
  });
});
