import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SegmentedMap } from '../../src/backends/segmented-map';

/** More than several segments hold. */
const MANY = 50_000;

const KEYS: [string, (i: number) => string][] = [
  ['numbered', (i) => `:1:key:${i}`],
  ['numbered at the start', (i) => `${i}:${'x'.repeat(40)}`],
  ['digests within long keys', (i) => `page.GET.${md5Like(i)}.${'d41d8cd9'.repeat(4)}.en-us.UTC`],
  ['beyond Latin-1', (i) => `ключ ${i}`],
];

/** Long enough that only every third character tells the segment, and alike in all of these. */
function alike(i: number): string {
  const [a, b] = [String.fromCharCode(i & 0xff), String.fromCharCode(i >> 8)];
  return `${'-'.repeat(94)}${a}${b}----`;
}

function md5Like(i: number): string {
  return Math.imul(i, 0x9e3779b1).toString(16).replace('-', 'f').padStart(32, '0');
}

/** The most keys that a `Map` held while this was done. */
function largestMap(work: () => void): number {
  let largest = 0;
  const { set } = Map.prototype;
  const spy = jest.spyOn(Map.prototype, 'set').mockImplementation(function (
    this: Map<unknown, unknown>,
    key: unknown,
    value: unknown,
  ) {
    set.call(this, key, value);
    largest = Math.max(largest, this.size);
    return this;
  });
  try {
    work();
  } finally {
    spy.mockRestore();
  }
  return largest;
}

test.each(KEYS)('no map within it grows with the number of keys: %s', (_what, keyOf) => {
  const map = new SegmentedMap<number>();
  const largest = largestMap(() => {
    for (let i = 0; i < MANY; i++) map.set(keyOf(i), i);
  });
  expect(map.size).toBe(MANY);
  expect(largest).toBeLessThan(3000);
  let found = 0;
  for (let i = 0; i < MANY; i++) found += map.get(keyOf(i)) === i ? 1 : 0;
  expect(found).toBe(MANY);
});

test('keys that cannot be told apart by their segment are kept all the same', () => {
  const map = new SegmentedMap<number>();
  const largest = largestMap(() => {
    for (let i = 0; i < MANY; i++) map.set(alike(i), i);
  });
  expect(largest).toBe(MANY);
  for (let i = 0; i < MANY; i += 2) assert(map.delete(alike(i)));
  expect(map.size).toBe(MANY / 2);
  expect([map.get(alike(2)), map.get(alike(3))]).toEqual([undefined, 3]);
});

test('it does what a Map does, also while segments are split', () => {
  const command = fc.tuple(fc.constantFrom('set', 'delete', 'get'), fc.nat(30_000));
  fc.assert(
    fc.property(fc.array(command, { minLength: 500, maxLength: 2000 }), (commands) => {
      const [map, model] = [new SegmentedMap<number>(), new Map<string, number>()];
      for (let i = 0; i < 10_000; i++) {
        map.set(`k${i}`, i);
        model.set(`k${i}`, i);
      }
      for (const [i, [what, number]] of commands.entries()) {
        const key = `k${number}`;
        if (what === 'delete') assert.equal(map.delete(key), model.delete(key));
        else if (what === 'get') assert.equal(map.get(key), model.get(key));
        else {
          map.set(key, -i);
          model.set(key, -i);
        }
        assert.equal(map.size, model.size);
      }
      for (const [key, value] of model) assert.equal(map.get(key), value);
    }),
    { numRuns: 10 },
  );
});
