import type { BaseCache } from 'cachewright';
import type { ContractContext } from './context';

/** `clear`. */
export function describeClear(context: ContractContext): void {
  const { another } = context;
  const { sharesStore, clears } = context.traits;

  describe('clear', () => {
    let cache: BaseCache;
    beforeEach(() => {
      cache = context.cache();
    });

    test('empties the store, and returns nothing (API-13)', async () => {
      await cache.setMany({ a: 1, b: 2 }, null);
      await cache.set('a', 3, null, { version: 2 });
      expect(await cache.clear()).toBeUndefined();
      expect(await cache.getMany(['a', 'b'])).toEqual({});
      expect(await cache.hasKey('a', { version: 2 })).toBe(false);
      expect(await cache.add('a', 4)).toBe(true);
    });

    if (sharesStore) {
      test(`${clears === 'store' ? 'reaches' : 'spares'} other prefixes (API-13)`, async () => {
        const mine = await another({ keyPrefix: 'mine' });
        const theirs = await another({ keyPrefix: 'theirs' });
        await mine.set('key', 1);
        await theirs.set('key', 2);
        await mine.clear();
        expect(await mine.get('key')).toBeUndefined();
        expect(await theirs.get('key')).toBe(clears === 'store' ? undefined : 2);
      });
    }
  });
}
