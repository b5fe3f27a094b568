import { Ghosts } from '../../../src/backends/tiered/ghosts';

const keys = (count: number, prefix = 'k') => Array.from({ length: count }, (_, i) => prefix + i);

test('a key is remembered until it is taken', () => {
  const ghosts = new Ghosts(1_000_000);
  ghosts.add('a', 100);
  expect(ghosts.size).toBe(1);
  expect(ghosts.take('a')).toBe(true);
  expect(ghosts.take('a')).toBe(false);
  expect(ghosts.size).toBe(0);
});

test.each([64, 100, 1000])('the last %d / 2 keys are remembered, never more than that', (limit) => {
  const ghosts = new Ghosts(1_000_000);
  const added = keys(5 * limit + 7);
  for (const key of added) {
    ghosts.add(key, limit);
    expect(ghosts.size).toBeLessThanOrEqual(limit);
  }
  const last = added.slice(-limit / 2);
  expect(last.filter((key) => ghosts.take(key))).toEqual(last);
  expect(added.slice(0, -limit).some((key) => ghosts.take(key))).toBe(false);
});

test('a few keys are remembered however low the limit', () => {
  const ghosts = new Ghosts(1_000_000);
  for (const key of keys(1000)) ghosts.add(key, 0);
  expect(ghosts.size).toBeGreaterThanOrEqual(32);
  expect(ghosts.size).toBeLessThanOrEqual(64);
});

test('a key that comes again is young again', () => {
  const ghosts = new Ghosts(1_000_000);
  for (const key of keys(32, 'first')) ghosts.add(key, 64);
  for (const key of keys(31, 'second')) ghosts.add(key, 64);
  ghosts.add('first0', 64);
  for (const key of keys(31, 'third')) ghosts.add(key, 64);
  expect(ghosts.take('first1')).toBe(false);
  expect(ghosts.take('first0')).toBe(true);
});

test('a key that came twice is taken once', () => {
  const ghosts = new Ghosts(100_000);
  for (const key of keys(32, 'first')) ghosts.add(key, 64);
  ghosts.add('first0', 64);
  for (let i = 0; i < 1000; i++) ghosts.add('first0', 1000);
  // Once among the young, once among the old.
  expect(ghosts.size).toBe(33);
  expect(ghosts.take('first0')).toBe(true);
  expect(ghosts.take('first0')).toBe(false);
  expect(ghosts.take('first1')).toBe(true);
});

test('long keys do not take more than their bytes', () => {
  const ghosts = new Ghosts(100_000);
  for (const key of keys(1000)) ghosts.add(key.padEnd(1000, 'x'), 1000);
  // A character may take two bytes.
  expect(ghosts.size).toBeLessThanOrEqual(50);
  expect(ghosts.size).toBeGreaterThan(20);
});

test('a key as long as half of the bytes leaves the others remembered', () => {
  const ghosts = new Ghosts(100_000);
  for (const key of keys(50)) ghosts.add(key, 1000);
  ghosts.add('x'.repeat(25_000), 1000);
  expect(ghosts.take('x'.repeat(25_000))).toBe(false);
  expect(ghosts.size).toBe(50);
});

test('keys that were taken no longer count', () => {
  const ghosts = new Ghosts(100_000);
  for (let i = 0; i < 1000; i++) {
    const key = `passing${i}`.padEnd(1000, 'x');
    ghosts.add(key, 1000);
    if (i === 0) ghosts.add('staying', 1000);
    expect(ghosts.take(key)).toBe(true);
  }
  expect(ghosts.take('staying')).toBe(true);
});
