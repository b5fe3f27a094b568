import {
  EVERYTHING,
  nameOfGroup,
  nameOfPrefix,
  nameOfUrl,
  namesOfPage,
  tagName,
  withoutFragment,
} from '../../src/cache/tag-names';

const PAGE = 'https://shop.example/list/shoes?page=2';

test('a tag of plain characters is its own name, any other is named by its digest', () => {
  expect(tagName('product-42_b')).toBe('t.product-42_b');
  expect(tagName('a'.repeat(64))).toBe(`t.${'a'.repeat(64)}`);
  for (const tag of ['product:42', 'mit Leerzeichen', 'a'.repeat(65), 'é', 't.x', 'a\n']) {
    expect(tagName(tag)).toMatch(/^h\.[\da-f]{40}$/);
  }
  expect(tagName('product:42')).not.toBe(tagName('product:43'));
});

test('a tag that is no string, or empty, is refused', () => {
  expect(() => tagName('')).toThrow('A tag is "". Give a string.');
  expect(() => tagName(42 as never)).toThrow('A tag is 42. Give a string.');
  expect(() => tagName(undefined as never)).toThrow(TypeError);
  expect(() => tagName(Symbol('x') as never)).toThrow(TypeError);
});

test('a page has the counters of everything, of its URL and of every directory above it', () => {
  expect(namesOfPage(PAGE)).toEqual([EVERYTHING, nameOfUrl(PAGE), nameOfPrefix('/list/')]);
  expect(namesOfPage('https://shop.example/a/b/')).toEqual([
    EVERYTHING,
    nameOfUrl('https://shop.example/a/b/'),
    nameOfPrefix('/a/'),
    nameOfPrefix('/a/b/'),
  ]);
  for (const url of [
    'https://shop.example',
    'https://shop.example/',
    'https://shop.example/?a=/b/',
  ])
    expect(namesOfPage(url)).toEqual([EVERYTHING, nameOfUrl(url)]);
});

test('a URL is told apart from others, but not by its fragment or a bare question mark', () => {
  expect(nameOfUrl(PAGE)).toMatch(/^u\.[\da-z]{1,3}$/);
  expect(nameOfUrl(`${PAGE}#top`)).toBe(nameOfUrl(PAGE));
  expect(nameOfUrl('https://shop.example/a?')).toBe(nameOfUrl('https://shop.example/a'));
  expect(nameOfUrl('https://shop.example/list/shoes?page=3')).not.toBe(nameOfUrl(PAGE));
  expect(withoutFragment('/a?b?')).toBe('/a?b?');
  expect(withoutFragment('/a?#?')).toBe('/a');
});

test('a group is of one origin, and no tag of the site (RFC 9875 §2.1)', () => {
  const name = nameOfGroup(PAGE, 'a');
  expect(name).toMatch(/^g\.[\da-f]{40}$/);
  for (const url of ['https://shop.example', 'HTTPS://Shop.Example:443/other?b', `${PAGE}#c`])
    expect([url, nameOfGroup(url, 'a')]).toEqual([url, name]);
  expect(nameOfGroup('http://shop.example:80/', 'a')).toBe(nameOfGroup('http://shop.example', 'a'));
  const others = [
    nameOfGroup('http://shop.example/', 'a'),
    nameOfGroup('http://shop.example:443/', 'a'),
    nameOfGroup('https://shop.example:80/', 'a'),
    nameOfGroup('https://shop.example:8443/', 'a'),
    nameOfGroup('https://www.shop.example/', 'a'),
    nameOfGroup(PAGE, 'A'),
    nameOfGroup(PAGE, ''),
    ...['a', 'https://shop.example a', name].map(tagName),
  ];
  expect(new Set([name, ...others]).size).toBe(others.length + 1);
});

test('a prefix is a path or a URL, and of all sites of the namespace', () => {
  expect(nameOfPrefix('https://shop.example/list/')).toBe(nameOfPrefix('/list/'));
  expect(nameOfPrefix('/')).toBe(EVERYTHING);
  expect(nameOfPrefix('https://shop.example')).toBe(EVERYTHING);
  expect(nameOfPrefix('/list/')).not.toBe(nameOfPrefix('/lists/'));
});

test('what lies deeper than eight directories is purged with the eighth', () => {
  const eighth = '/1/2/3/4/5/6/7/8/';
  expect(nameOfPrefix(`${eighth}9/`)).toBe(nameOfPrefix(eighth));
  expect(nameOfPrefix('/1/2/3/4/5/6/7/')).not.toBe(nameOfPrefix(eighth));
  const names = namesOfPage(`https://shop.example${eighth}9/10/page`);
  expect(names).toHaveLength(2 + 8);
  expect(names.at(-1)).toBe(nameOfPrefix(eighth));
});

test('what is no absolute URL, and no whole directory, is refused', () => {
  for (const url of ['/list', 'shop.example/list', 'https://', 'https:///list', ''])
    expect(() => nameOfUrl(url)).toThrow('is no absolute URL');
  expect(() => nameOfUrl(undefined as never)).toThrow(TypeError);
  expect(() => nameOfPrefix('/list')).toThrow('does not end in a slash');
  expect(() => nameOfPrefix('list/')).toThrow('is neither a path nor an absolute URL');
});

test('URLs are spread over counters of which there is an end', () => {
  const names = new Set(Array.from({ length: 2000 }, (_, i) => nameOfUrl(`http://a.example/${i}`)));
  expect(names.size).toBeGreaterThan(1950);
  for (const name of names) expect(Number.parseInt(name.slice(2), 36)).toBeLessThan(2 ** 17);
});
