import type { BaseCache } from 'cachewright';
import type { ContractContext } from './context';

/** `touch`. */
export function describeTouch(context: ContractContext): void {
  const { testOfTime } = context;

  describe('touch', () => {
    let cache: BaseCache;
    beforeEach(() => {
      cache = context.cache();
    });

    testOfTime('gives a live entry a new timeout (API-24)', async ({ advance, cache }) => {
      // Not for one second: servers that count by ticks may end that one at once, and busy
      // machines take their time.
      await cache.set('key', 'value', 4);
      expect(await cache.touch('key', 9)).toBe(true);
      await advance(5);
      expect(await cache.get('key')).toBe('value');
      await advance(5);
      expect(await cache.get('key')).toBeUndefined();
    });

    testOfTime(
      'gives the default timeout where none is given (API-25)',
      async ({ advance, another }) => {
        const brief = await another({ timeout: 1 });
        await brief.set('shortened', 'value', 100);
        await brief.set('lasting', 'value', null);
        expect(await brief.touch('shortened')).toBe(true);
        expect(await brief.touch('lasting')).toBe(true);
        await advance(2);
        expect(await brief.getMany(['shortened', 'lasting'])).toEqual({});
      },
    );

    test('of a missing key says so, and creates nothing (API-25)', async () => {
      expect(await cache.touch('missing')).toBe(false);
      expect(await cache.touch('missing', null)).toBe(false);
      expect(await cache.hasKey('missing')).toBe(false);
    });

    test('of a lasting entry for ever says yes (API-26)', async () => {
      await cache.set('key', 'value', null);
      expect(await cache.touch('key', null)).toBe(true);
      expect(await cache.get('key')).toBe('value');
    });

    test.each([0, -1])('for %d seconds ends an entry (API-26, TMO-05)', async (timeout) => {
      await cache.set('key', 'value', null);
      expect(await cache.touch('key', timeout)).toBe(true);
      expect(await cache.get('key')).toBeUndefined();
      expect(await cache.touch('key', timeout)).toBe(false);
    });

    testOfTime('does not revive an expired entry (API-27)', async ({ advance, cache }) => {
      await cache.set('key', 'value', 1);
      await advance(2);
      expect(await cache.touch('key', 100)).toBe(false);
      expect(await cache.get('key')).toBeUndefined();
    });
  });
}
