import { createHash } from 'node:crypto';
import { ketamaRing } from '../../../src/backends/memcached/ring';

const KEYS = Array.from({ length: 10_000 }, (_, i) => `:1:key${i}`);
const NAMES = ['cache1:11211', 'cache2:11211', '[::1]:1234', '/run/memcached.sock', 'cache5:80'];

/** As ketama's own C code places keys: 40 hashes a server, four points each, little-endian. */
function ketama(names: readonly string[]): (key: string) => string {
  const md5 = (text: string) => createHash('md5').update(text).digest();
  const points = names
    .flatMap((name) =>
      Array.from({ length: 40 }, (_, i) => md5(`${name}-${i}`)).flatMap((digest) =>
        [0, 4, 8, 12].map((at) => ({ point: digest.readUInt32LE(at), name })),
      ),
    )
    .sort((a, b) => a.point - b.point);
  return (key) => {
    const at = md5(key).readUInt32LE(0);
    return (points.find(({ point }) => point >= at) ?? points[0]!).name;
  };
}

test.each([2, 3, 5])('%d servers have the keys that ketama gives them (MEMC-03)', (count) => {
  const names = NAMES.slice(0, count);
  const [ours, reference] = [ketamaRing(names), ketama(names)];
  for (const key of KEYS.slice(0, 2000)) expect(ours(key)).toBe(reference(key));
});

test('the order in which servers are named does not count (MEMC-03)', () => {
  const [one, other] = [ketamaRing(NAMES), ketamaRing([...NAMES].reverse())];
  expect(KEYS.map(one)).toEqual(KEYS.map(other));
});

test('49 servers have as many points each as 48 (MEMC-03)', () => {
  // 1/49 × 40 × 49 is 39.99… in floating point.
  const names = Array.from({ length: 49 }, (_, i) => `cache${i}:11211`);
  const [ours, reference] = [ketamaRing(names), ketama(names)];
  for (const key of KEYS.slice(0, 2000)) expect(ours(key)).toBe(reference(key));
});

test('a fourth server takes its part of the keys, and no other moves (MEMC-03)', () => {
  const three = NAMES.slice(0, 3);
  const added = NAMES[3]!;
  const [before, after] = [ketamaRing(three), ketamaRing([...three, added])];
  const moved = KEYS.filter((key) => before(key) !== after(key));
  expect(moved.length).toBeGreaterThan(0.15 * KEYS.length);
  expect(moved.length).toBeLessThan(0.35 * KEYS.length);
  for (const key of moved) expect(after(key)).toBe(added);
  for (const name of three) {
    expect(KEYS.filter((key) => before(key) === name).length).toBeGreaterThan(KEYS.length / 5);
  }
});
