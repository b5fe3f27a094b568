import type { BaseCache } from 'cachewright';
import type { ContractContext } from './context';

/** Several entries in one call. */
export function describeMany(context: ContractContext): void {
  const { another, testOfTime } = context;

  describe('many', () => {
    let cache: BaseCache;
    beforeEach(() => {
      cache = context.cache();
    });

    test('getMany() returns the entries that exist, nulls included (API-05)', async () => {
      await cache.setMany({ a: 'a', b: 'b', c: 'c', x: null });
      expect(await cache.getMany(['a', 'c', 'd'])).toEqual({ a: 'a', c: 'c' });
      expect(await cache.getMany(['x', 'a', 'e'])).toEqual({ x: null, a: 'a' });
      expect(await cache.getMany(['e', 'f'])).toEqual({});
    });

    test('getMany() takes any iterable, and duplicates once (API-06)', async () => {
      await cache.setMany({ a: 1, b: 2 });
      expect(await cache.getMany(new Set(['a', 'b']))).toEqual({ a: 1, b: 2 });
      expect(await cache.getMany(new Map([['b', 0]]).keys())).toEqual({ b: 2 });
      expect(await cache.getMany(['a', 'a'])).toEqual({ a: 1 });
      expect(await cache.getMany([])).toEqual({});
    });

    test('setMany() stores all, and returns no failed keys (API-07)', async () => {
      expect(await cache.setMany({ key1: 'spam', key2: 'eggs' })).toEqual([]);
      expect(await cache.get('key1')).toBe('spam');
      expect(await cache.get('key2')).toBe('eggs');
    });

    test('setMany() takes a Map (API-07)', async () => {
      await cache.setMany(
        new Map([
          ['key1', 'spam'],
          ['key2', 'eggs'],
        ]),
      );
      expect(await cache.getMany(['key1', 'key2'])).toEqual({ key1: 'spam', key2: 'eggs' });
    });

    testOfTime(
      'setMany() applies the timeout to each entry (API-08, TMO-01)',
      async ({ advance, cache }) => {
        // Not for one second: servers that count by ticks may end that one at once, and busy
        // machines take their time.
        await cache.setMany({ key1: 'spam', key2: 'eggs' }, 4);
        expect(await cache.getMany(['key1', 'key2'])).toEqual({ key1: 'spam', key2: 'eggs' });
        await advance(5);
        expect(await cache.getMany(['key1', 'key2'])).toEqual({});
      },
    );

    test('nothing to store or remove is fine (API-09)', async () => {
      await cache.set('key', 'value');
      expect(await cache.setMany({})).toEqual([]);
      expect(await cache.deleteMany([])).toBeUndefined();
      expect(await cache.get('key')).toBe('value');
    });

    test('deleteMany() removes exactly these, and returns nothing (API-12)', async () => {
      await cache.setMany({ a: 1, b: 2, c: 3, d: 4 });
      expect(await cache.deleteMany(['a', 'b', 'missing'])).toBeUndefined();
      expect(await cache.getMany(['a', 'b', 'c', 'd'])).toEqual({ c: 3, d: 4 });
      await cache.deleteMany(new Map([['c', 0]]).keys());
      expect(await cache.getMany(['c', 'd'])).toEqual({ d: 4 });
    });

    test("results are by the caller's keys (KEY-07)", async () => {
      const prefixed = await another({ keyPrefix: 'prefix', version: 7 });
      await prefixed.setMany({ a: 1, b: 2 });
      expect(Object.keys(await prefixed.getMany(['a', 'b']))).toEqual(['a', 'b']);
    });

    test('a key may have the name of a property every object has (API-05)', async () => {
      const keys = ['__proto__', 'constructor', 'toString'];
      expect(Object.keys(await cache.getMany(keys))).toEqual([]);
      await cache.setMany(new Map(keys.map((key) => [key, { of: key }])));
      const found = await cache.getMany(keys);
      expect(Object.keys(found).sort()).toEqual([...keys].sort());
      for (const key of keys) expect(found[key]).toEqual({ of: key });
    });
  });
}
