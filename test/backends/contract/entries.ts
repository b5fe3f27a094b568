import type { BaseCache } from 'cachewright';
import type { ContractContext } from './context';

/** One entry at a time. */
export function describeEntries(context: ContractContext): void {
  describe('entries', () => {
    let cache: BaseCache;
    beforeEach(() => {
      cache = context.cache();
    });

    test('get() returns what set() stored, and set() returns nothing (API-01)', async () => {
      expect(await cache.set('key', 'value')).toBeUndefined();
      expect(await cache.get('key')).toBe('value');
    });

    test('set() replaces what was there (API-01)', async () => {
      await cache.set('key', 'a rather long value that came first');
      await cache.set('key', 'short');
      expect(await cache.get('key')).toBe('short');
    });

    test('a miss is undefined, or the fallback, which is not stored (API-02, CONV-03)', async () => {
      expect(await cache.get('missing')).toBeUndefined();
      expect(await cache.get('missing', 'bang!')).toBe('bang!');
      expect(await cache.get('missing')).toBeUndefined();
    });

    test('a stored null is told from a miss (API-03, CONV-03)', async () => {
      await cache.set('nothing', null);
      expect(await cache.get('nothing', 'fallback')).toBeNull();
    });

    test.each([
      ['an empty string', ''],
      ['zero', 0],
      ['false', false],
      ['an empty list', []],
    ])('%s is a value, not a miss (API-35)', async (_name, value) => {
      await cache.set('key', value);
      expect(await cache.get('key', 'fallback')).toEqual(value);
      expect(await cache.hasKey('key')).toBe(true);
    });

    test('undefined is refused by set() and add(), and the old value stays (CONV-03)', async () => {
      await cache.set('key', 'old');
      await expect(cache.set('key', undefined)).rejects.toThrow(TypeError);
      await expect(cache.add('other', undefined)).rejects.toThrow(TypeError);
      expect(await cache.get('key')).toBe('old');
      expect(await cache.hasKey('other')).toBe(false);
    });

    test('add() stores under an absent key, and says so (API-04)', async () => {
      expect(await cache.add('key', 'first')).toBe(true);
      expect(await cache.get('key')).toBe('first');
    });

    test('add() leaves a live entry alone, and says so (API-04)', async () => {
      await cache.add('key', 'first');
      expect(await cache.add('key', 'second')).toBe(false);
      expect(await cache.get('key')).toBe('first');
    });

    test('add() leaves an entry that holds null alone (API-04)', async () => {
      await cache.set('key', null);
      expect(await cache.add('key', 'second')).toBe(false);
      expect(await cache.get('key')).toBeNull();
    });

    test('of many who add() at the same time, one succeeds (API-04)', async () => {
      const values = Array.from({ length: 10 }, (_, i) => `value ${i}`);
      const accepted = await Promise.all(values.map((value) => cache.add('key', value)));
      expect(accepted.filter(Boolean)).toHaveLength(1);
      expect(await cache.get('key')).toBe(values[accepted.indexOf(true)]);
    });

    test('delete() removes one entry, and tells whether there was one (API-10)', async () => {
      await cache.set('key1', 'spam');
      await cache.set('key2', 'eggs');
      expect(await cache.delete('key1')).toBe(true);
      expect(await cache.get('key1')).toBeUndefined();
      expect(await cache.get('key2')).toBe('eggs');
      expect(await cache.delete('key1')).toBe(false);
    });

    test('hasKey() is true for live, lasting and null entries only (API-14, API-15)', async () => {
      await cache.set('live', 'spam');
      await cache.set('lasting', 'spam', null);
      await cache.set('null', null);
      expect(await cache.hasKey('live')).toBe(true);
      expect(await cache.hasKey('lasting')).toBe(true);
      expect(await cache.hasKey('null')).toBe(true);
      expect(await cache.hasKey('missing')).toBe(false);
    });

    test('keys in any script are told apart (API-35)', async () => {
      const keys = [
        'ascii',
        'ascii2',
        'ASCII',
        'Iñtërnâtiônàlizætiøn',
        '清',
        '清酒',
        'ключ',
        '🦊',
        'a:b',
        'a/b',
        '../b',
      ];
      for (const key of keys) await cache.set(key, `under ${key}`);
      for (const key of keys) expect(await cache.get(key)).toBe(`under ${key}`);
    });

    test('every method returns a promise, and rejects rather than throws (CONV-02, ASYNC-01)', async () => {
      const notAKey = Symbol('key') as unknown as string;
      const calls: Promise<unknown>[] = [
        cache.get(notAKey),
        cache.set(notAKey, 1),
        cache.add(notAKey, 1),
        cache.touch(notAKey),
        cache.delete(notAKey),
        cache.hasKey(notAKey),
        cache.getOrSet(notAKey, 1),
        cache.getMany([notAKey]),
        cache.setMany([[notAKey, 1]]),
        cache.deleteMany([notAKey]),
        cache.incr(notAKey),
        cache.decr(notAKey),
        cache.incrVersion(notAKey),
        cache.decrVersion(notAKey),
      ];
      for (const outcome of await Promise.allSettled(calls)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(TypeError) });
      }
      await expect(cache.clear()).resolves.toBeUndefined();
    });
  });
}
