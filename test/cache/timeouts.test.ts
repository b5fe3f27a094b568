import { checkTimeout, expiryOf, isExpiredAtOnce } from '../../src/cache/timeouts';
import { stopClock } from '../support/clock';

const clock = stopClock();

test.each([0, -1, 0.5, 1e9, null])('%p is a timeout (CONV-04)', (timeout) => {
  expect(checkTimeout(timeout, 'It')).toBe(timeout);
});

test.each([
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, 'Infinity'],
  [Number.NEGATIVE_INFINITY, '-Infinity'],
  ['10', '"10"'],
  [true, 'true'],
  [undefined, 'undefined'],
  [{}, 'an object'],
])('%p is none, and the error shows what it was (CONV-04)', (timeout, shown) => {
  expect(() => checkTimeout(timeout, 'Key "k"')).toThrow(TypeError);
  expect(() => checkTimeout(timeout, 'Key "k"')).toThrow(`Key "k" got the timeout ${shown}`);
});

test('counts from now, in seconds and their fractions', () => {
  expect(expiryOf(1)).toBe(clock.now() + 1000);
  expect(expiryOf(0.25)).toBe(clock.now() + 250);
  expect(expiryOf(-1)).toBe(clock.now() - 1000);
  expect(expiryOf(60 * 60 * 24 * 365 * 1000)).toBeGreaterThan(clock.now() + 3e13);
});

test('of null never comes', () => {
  expect(expiryOf(null)).toBe(Number.POSITIVE_INFINITY);
});

test('of nothing or less can never be read (TMO-05)', () => {
  expect([0, -0, -1, 0.001, 1, null].map(isExpiredAtOnce)).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});
