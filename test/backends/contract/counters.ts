import type { BaseCache } from 'cachewright';
import type { ContractContext } from './context';

/** `incr` and `decr`. */
export function describeCounters(context: ContractContext): void {
  const { testOfTime } = context;
  const { fractionalDeltas, negativeCounters, incrKeepsTimeout, atomicIncr } = context.traits;

  describe('counters', () => {
    let cache: BaseCache;
    beforeEach(() => {
      cache = context.cache();
    });

    test('incr() adds one, or a delta of either sign (API-16)', async () => {
      await cache.set('answer', 41);
      expect(await cache.incr('answer')).toBe(42);
      expect(await cache.get('answer')).toBe(42);
      expect(await cache.incr('answer', 10)).toBe(52);
      expect(await cache.get('answer')).toBe(52);
      expect(await cache.incr('answer', -10)).toBe(42);
      expect(await cache.get('answer')).toBe(42);
    });

    test('decr() subtracts one, or a delta of either sign (API-16)', async () => {
      await cache.set('answer', 43);
      expect(await cache.decr('answer')).toBe(42);
      expect(await cache.get('answer')).toBe(42);
      expect(await cache.decr('answer', 10)).toBe(32);
      expect(await cache.decr('answer', -10)).toBe(42);
      expect(await cache.get('answer')).toBe(42);
    });

    test.each(['incr', 'decr'] as const)(
      '%s() of a missing key is an error that names it, and creates nothing (API-17, CONV-05)',
      async (method) => {
        for (const delta of [undefined, 1, -1]) {
          await expect(cache[method]('missing', delta)).rejects.toMatchObject({
            code: 'ERR_CACHE_KEY_NOT_FOUND',
            key: 'missing',
            message: expect.stringContaining('missing'),
          });
        }
        expect(await cache.hasKey('missing')).toBe(false);
      },
    );

    test.each(['incr', 'decr'] as const)(
      '%s() of an entry that is no number fails, and leaves it (API-18, API-19)',
      async (method) => {
        for (const value of [null, 'x', [1], true]) {
          await cache.set('key', value);
          await expect(cache[method]('key')).rejects.toThrow();
          expect(await cache.get('key')).toEqual(value);
        }
      },
    );

    test('a delta that is no number is refused, and the entry left (API-19)', async () => {
      await cache.set('key', 1);
      for (const delta of ['1', Number.NaN, Number.POSITIVE_INFINITY, null]) {
        await expect(cache.incr('key', delta as number)).rejects.toThrow(TypeError);
      }
      expect(await cache.get('key')).toBe(1);
    });

    if (fractionalDeltas) {
      test('counters take fractions (API-20)', async () => {
        await cache.set('key', 1);
        expect(await cache.incr('key', 0.5)).toBe(1.5);
        expect(await cache.get('key')).toBe(1.5);
        expect(await cache.decr('key', 0.25)).toBe(1.25);
      });
    } else {
      test('counters refuse fractions (API-20)', async () => {
        await cache.set('key', 1);
        await expect(cache.incr('key', 0.5)).rejects.toThrow();
        expect(await cache.get('key')).toBe(1);
      });
    }

    test(`counters ${negativeCounters ? 'go below' : 'stop at'} zero (API-21)`, async () => {
      await cache.set('key', 1);
      const low = negativeCounters ? -4 : 0;
      expect(await cache.decr('key', 5)).toBe(low);
      expect(await cache.get('key')).toBe(low);
    });

    testOfTime(
      `incr() ${incrKeepsTimeout ? 'keeps the time left' : 'gives the default timeout'} (API-22)`,
      async ({ advance, cache }) => {
        // Not for one second: servers that count by ticks may end that one at once, and busy
        // machines take their time.
        await cache.set('short', 1, 4);
        await cache.set('lasting', 1, null);
        await cache.incr('short');
        await cache.incr('lasting');
        await advance(5);
        expect(await cache.get('short')).toBe(incrKeepsTimeout ? undefined : 2);
        expect(await cache.get('lasting')).toBe(2);
      },
    );

    if (atomicIncr) {
      test('concurrent calls all count (API-23)', async () => {
        await cache.set('key', 0, null);
        const sums = await Promise.all(Array.from({ length: 20 }, () => cache.incr('key')));
        expect(await cache.get('key')).toBe(20);
        expect(new Set(sums).size).toBe(20);
      });
    }
  });
}
