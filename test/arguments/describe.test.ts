import { describe as shown } from '../../src/arguments/describe';

test.each<[value: unknown, text: string]>([
  ['a', '"a"'],
  [5, '5'],
  [5n, '5n'],
  [null, 'null'],
  [undefined, 'undefined'],
  [Symbol('a'), 'Symbol(a)'],
  [{ secret: 1 }, 'an object'],
  [Object.create(null), 'an object'],
  [{ constructor: null }, 'an object'],
  [new Map(), 'a Map'],
  [['a', 1, ['b']], '["a", 1, […]]'],
  [() => 1, 'a function'],
  [function page() {}, 'page()'],
])('%p is shown as %s', (value, text) => {
  expect(shown(value)).toBe(text);
});

test('a long text is cut', () => {
  expect(shown('a'.repeat(1000)).length).toBeLessThan(110);
});
