import type { BaseCache } from 'cachewright';
import type { ContractContext } from './context';

/** `getOrSet`, and its single flight. */
export function describeGetOrSet(context: ContractContext): void {
  const { testOfTime } = context;

  describe('getOrSet', () => {
    let cache: BaseCache;
    beforeEach(() => {
      cache = context.cache();
    });

    test('stores on a miss, and returns what is stored on a hit (API-28)', async () => {
      expect(await cache.getOrSet('projector', 42)).toBe(42);
      expect(await cache.get('projector')).toBe(42);
      expect(await cache.getOrSet('projector', 43)).toBe(42);
    });

    test('calls a function without arguments, and on a miss only (API-29)', async () => {
      const calls: unknown[][] = [];
      const make = (...args: unknown[]) => {
        calls.push(args);
        return 'made';
      };
      expect(await cache.getOrSet('key', make)).toBe('made');
      expect(await cache.getOrSet('key', make)).toBe('made');
      expect(calls).toEqual([[]]);
    });

    test('hands on what the function throws, and stores nothing (API-29)', async () => {
      const fails = () => {
        throw new Error('no value today');
      };
      await expect(cache.getOrSet('key', fails)).rejects.toThrow('no value today');
      expect(await cache.hasKey('key')).toBe(false);
      expect(await cache.getOrSet('key', 'next')).toBe('next');
    });

    test('concurrent misses call the function once, and all get its value (API-30)', async () => {
      let calls = 0;
      const make = async () => {
        calls += 1;
        await turn();
        return { made: calls };
      };
      const found = await Promise.all(
        Array.from({ length: 20 }, () => cache.getOrSet('key', make)),
      );
      expect(calls).toBe(1);
      expect(found).toEqual(Array.from({ length: 20 }, () => ({ made: 1 })));
    });

    test('concurrent callers get a copy each (API-30, CONV-08)', async () => {
      const [first, second] = await Promise.all([
        cache.getOrSet('key', async () => ({ list: [1] })),
        cache.getOrSet('key', async () => ({ list: [1] })),
      ]);
      first.list.push(2);
      expect(second).toEqual({ list: [1] });
      expect(await cache.get('key')).toEqual({ list: [1] });
    });

    test('a rejection reaches all who wait, and is not kept (API-29, API-30)', async () => {
      let calls = 0;
      const fails = async () => {
        calls += 1;
        await turn();
        throw new Error('no value today');
      };
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, () => cache.getOrSet('key', fails)),
      );
      expect(calls).toBe(1);
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({
          status: 'rejected',
          reason: { message: 'no value today' },
        });
      }
      expect(await cache.getOrSet('key', async () => 'next')).toBe('next');
    });

    test('other keys and versions do not wait for one another (API-30)', async () => {
      const found = await Promise.all([
        cache.getOrSet('key', () => 'one'),
        cache.getOrSet('other', () => 'two'),
        cache.getOrSet('key', () => 'three', undefined, { version: 2 }),
      ]);
      expect(found).toEqual(['one', 'two', 'three']);
    });

    test('null is a value (API-31)', async () => {
      expect(await cache.getOrSet('null', null)).toBeNull();
      expect(await cache.get('null', 'fallback')).toBeNull();
      expect(await cache.getOrSet('made', () => null)).toBeNull();
      expect(await cache.getOrSet('made', 'other')).toBeNull();
    });

    test('a default is needed (API-32)', async () => {
      await expect(cache.getOrSet('key', undefined)).rejects.toThrow(TypeError);
      await expect(cache.getOrSet('key', undefined)).rejects.toThrow(/"key"/);
    });

    testOfTime('version and timeout are honoured (API-32)', async ({ advance, cache }) => {
      expect(await cache.getOrSet('key', 1979, undefined, { version: 2 })).toBe(1979);
      expect(await cache.get('key')).toBeUndefined();
      expect(await cache.get('key', undefined, { version: 2 })).toBe(1979);
      await cache.getOrSet('brief', 'value', 1);
      await advance(2);
      expect(await cache.hasKey('brief')).toBe(false);
    });

    test('for 0 seconds the default is returned, and nothing stored (API-32)', async () => {
      expect(await cache.getOrSet('key', 'value', 0)).toBe('value');
      expect(await cache.hasKey('key')).toBe(false);
      expect(await cache.getOrSet('key', () => 'next', 0)).toBe('next');
    });

    test('a value stored meanwhile wins (API-33)', async () => {
      const found = await cache.getOrSet('key', async () => {
        await cache.set('key', 'theirs');
        return 'ours';
      });
      expect(found).toBe('theirs');
      expect(await cache.get('key')).toBe('theirs');
    });

    test('an async function is awaited (API-34)', async () => {
      expect(await cache.getOrSet('key', async () => 'awaited')).toBe('awaited');
      expect(await cache.get('key')).toBe('awaited');
    });

    test('a function that returns undefined has nothing to store (CONV-03)', async () => {
      expect(await cache.getOrSet('key', () => undefined)).toBeUndefined();
      expect(await cache.hasKey('key')).toBe(false);
    });
  });
}

/** A turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
