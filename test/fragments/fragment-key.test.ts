import { makeTemplateFragmentKey } from 'cachewright';

test.each<[string, unknown[] | undefined, string]>([
  ['a.fragment', undefined, 'd41d8cd98f00b204e9800998ecf8427e'],
  ['foo', ['abc'], '493e283d571a73056196f1a68efd0f66'],
  ['bar', ['abc', 'def'], '17c1a507a0cb58384f4c639067a93520'],
])('the key of %s, varied on %j, is that of Django (FRAG-01, FRAG-02)', (name, varyOn, hash) => {
  expect(makeTemplateFragmentKey(name, varyOn)).toBe(`template.cache.${name}.${hash}`);
});

test.each<[string, unknown[], string]>([
  ['spam', ['abc:def%'], '06c8ae8e8c430b69fb0a6443504153dc'],
  ['foo', [1, 2, 3, 4, 5], '7ae8fd2e0d25d651c683bdeebdb29461'],
  ['foo', ['42º', '😀'], '7ced1c94e543668590ba39b3c08b0237'],
  ['foo', ['x'.repeat(10_000)], '3670b349b5124aa56bdb50678b02b23a'],
])(
  'colons, numbers, Unicode and long texts are hashed as Django does (FRAG-03): %s',
  (name, varyOn, hash) => {
    expect(makeTemplateFragmentKey(name, varyOn)).toBe(`template.cache.${name}.${hash}`);
  },
);

test('no list and an empty one give one key, 1 and "1" another, and a colon is not told apart (FRAG-04)', () => {
  const key = makeTemplateFragmentKey;
  expect(key('a')).toBe(key('a', []));
  expect(key('a', [1])).toBe(key('a', ['1']));
  expect(key('a', ['a', 'b'])).toBe(key('a', ['a:b']));
  expect(key('a', ['a', 'b'])).not.toBe(key('a', ['b', 'a']));
});

test('what is missing counts as an empty text (FRAG-06)', () => {
  const empty = makeTemplateFragmentKey('a', ['']);
  expect(makeTemplateFragmentKey('a', [undefined])).toBe(empty);
  expect(makeTemplateFragmentKey('a', [null])).toBe(empty);
  expect(makeTemplateFragmentKey('a', [])).not.toBe(empty);
});

test('any iterable will do, and dates count to the millisecond', () => {
  expect(makeTemplateFragmentKey('a', new Set([1, 2]))).toBe(makeTemplateFragmentKey('a', [1, 2]));
  const key = (ms: number) => makeTemplateFragmentKey('a', [new Date(ms)]);
  expect(key(1)).not.toBe(key(2));
  expect(key(1)).toBe(key(1));
});

test('a text of its own tells an object from others', () => {
  const id = { toString: () => '7' };
  expect(makeTemplateFragmentKey('a', [id])).toBe(makeTemplateFragmentKey('a', ['7']));
  expect(makeTemplateFragmentKey('a', ['[object Object]'])).toMatch(/^template\.cache\.a\./);
});

test('bytes are told apart, also those that are no text', () => {
  const key = (...bytes: number[]) => makeTemplateFragmentKey('a', [Buffer.from(bytes)]);
  expect(key(0xff)).not.toBe(key(0xfe));
  expect(key(0xff)).toBe(makeTemplateFragmentKey('a', [Uint8Array.of(0xff)]));
});

test.each<[string, unknown, unknown, string]>([
  ['an object that looks like any other', 'nav', [1, { id: 7 }], 'item 2 .* is an object'],
  ['one in a list', 'nav', [[{ id: 7 }]], 'item 1 .* is an object'],
  ['a map', 'nav', [new Map()], 'item 1 .* is an object'],
  ['a function', 'nav', [() => 7], 'item 1 .* is a function'],
  ['a symbol', 'nav', [Symbol('x')], 'item 1 .* is a symbol'],
  ['a text in place of a list', 'nav', 'abc', '"nav" is to vary on abc\\. Give an array'],
  ['null in place of a list', 'nav', null, '"nav" is to vary on null\\. Give an array'],
  ['a name that is none', 7, [], 'The name of a fragment is a string, but got 7'],
])('%s is an error that names it', (_what, name, varyOn, message) => {
  expect(() => makeTemplateFragmentKey(name as string, varyOn as unknown[])).toThrow(TypeError);
  expect(() => makeTemplateFragmentKey(name as string, varyOn as unknown[])).toThrow(
    new RegExp(message),
  );
});
