import { EXPIRED, expirationOf } from '../../../src/backends/memcached/expiration';
import { stopClock } from '../../support/clock';

const clock = stopClock();

test.each([
  [null, 0],
  [1, 1],
  [100.9, 100],
  [2_592_000, 2_592_000],
  [2_592_000.9, 2_592_000],
])('%p seconds are sent as %p (MEMC-05)', (seconds, sent) => {
  expect(expirationOf(seconds)).toBe(sent);
});

test.each([0, 0.9, -0.5, -1, -1e9])('%p seconds are over at once (MEMC-05)', (seconds) => {
  // The -1 of the text protocol has no form in the binary one: an instant long past is the same.
  expect(expirationOf(seconds)).toBe(EXPIRED);
  expect(EXPIRED).toBeGreaterThan(2_592_000);
  expect(EXPIRED).toBeLessThan(clock.now() / 1000);
});

test('more than 30 days are sent as an instant (MEMC-05)', () => {
  const now = Math.floor(clock.now() / 1000);
  expect(expirationOf(2_592_001)).toBe(now + 2_592_001);
  expect(expirationOf(2_592_001.9)).toBe(now + 2_592_001);
});

test('an instant that 32 bits do not reach is none (MEMC-05)', () => {
  const now = Math.floor(clock.now() / 1000);
  expect(expirationOf(0xffff_ffff - now)).toBe(0xffff_ffff);
  expect(expirationOf(0xffff_ffff - now + 1)).toBe(0);
  expect(expirationOf(1e15)).toBe(0);
});
