import { digestOf, OPAQUE } from '../../src/page-cache/inputs/digest';

const secret = Symbol('secret');

/** Values of two visitors that differ in one place only. */
const MADE: Record<string, (user: string) => unknown> = {
  'the message of an error': (user) => Object.assign(new Error(`No, ${user}`), { code: 'E' }),
  'a property of an array': (user) => Object.assign([1], { owner: user }),
  'a property of a Map': (user) => Object.assign(new Map(), { owner: user }),
  'a field under a symbol': (user) => ({ id: 1, [secret]: user }),
  'what an object was made on top of': (user) => Object.assign(Object.create({ user }), { id: 1 }),
  'a nested field': (user) => ({ profile: { names: [user] } }),
};

for (const [name, make] of Object.entries(MADE)) {
  test(`a digest covers ${name}`, () => {
    const digest = digestOf(make('ann'));
    expect(digest).toEqual(expect.any(String));
    expect(digestOf(make('ann'))).toBe(digest);
    expect(digestOf(make('bob'))).not.toBe(digest);
  });
}

test('methods of a class are no fields', () => {
  class User {
    constructor(readonly name: string) {}
    greet() {
      return `Hello ${this.name}`;
    }
  }
  expect(digestOf(new User('ann'))).toEqual(expect.any(String));
  expect(digestOf(new User('ann'))).not.toBe(digestOf(new User('bob')));
});

test('a large object is not gone through each time', () => {
  const catalog = Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`k${i}`, i]));
  expect(digestOf(catalog)).toBe(OPAQUE);
  const startedAt = performance.now();
  for (let times = 0; times < 100; times += 1) expect(digestOf({ catalog })).toBe(OPAQUE);
  expect(performance.now() - startedAt).toBeLessThan(500);
});
