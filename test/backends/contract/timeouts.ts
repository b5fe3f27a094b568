import type { BaseCache } from 'cachewright';
import type { ContractContext } from './context';

/** When entries expire. */
export function describeTimeouts(context: ContractContext): void {
  const { another, testOfTime } = context;
  const { deleteReportsExpired, fractionalTimeouts } = context.traits;

  describe('timeouts', () => {
    let cache: BaseCache;
    beforeEach(() => {
      cache = context.cache();
    });

    testOfTime(
      'an entry is gone for get(), hasKey(), getMany() and add() (TMO-01, API-04, API-14)',
      async ({ advance, cache }) => {
        await cache.set('expire1', 'very quickly', 1);
        await cache.set('expire2', 'very quickly', 1);
        await cache.set('expire3', 'very quickly', 1);
        await advance(2);
        expect(await cache.get('expire1')).toBeUndefined();
        expect(await cache.add('expire2', 'newvalue')).toBe(true);
        expect(await cache.get('expire2')).toBe('newvalue');
        expect(await cache.hasKey('expire3')).toBe(false);
        expect(await cache.getMany(['expire1', 'expire2', 'expire3'])).toEqual({
          expire2: 'newvalue',
        });
      },
    );

    testOfTime(
      `delete() of an expired entry says ${deleteReportsExpired} (API-11)`,
      async ({ advance, cache }) => {
        await cache.set('key', 'value', 1);
        await advance(2);
        expect(await cache.delete('key')).toBe(deleteReportsExpired);
        expect(await cache.delete('key')).toBe(false);
      },
    );

    testOfTime(
      'the default timeout holds where none is given (TMO-01, CONV-04)',
      async ({ advance, another }) => {
        const brief = await another({ timeout: 1 });
        await brief.set('set', 1);
        await brief.add('added', 1);
        await brief.setMany({ many: 1 });
        await brief.set('longer', 1, 100);
        await brief.set('undefined', 1, undefined);
        await advance(2);
        expect(await brief.getMany(['set', 'added', 'many', 'longer', 'undefined'])).toEqual({
          longer: 1,
        });
      },
    );

    testOfTime(
      'null never expires, by set(), add(), setMany() or touch() (TMO-02, API-26)',
      async ({ advance, cache }) => {
        await cache.set('set', 'eggs', null);
        await cache.add('added', 'ham', null);
        await cache.setMany({ many: 'spam' }, null);
        // Not for one second: servers that count by ticks may end that one at once, and busy
        // machines take their time.
        await cache.set('touched', 'bacon', 4);
        expect(await cache.touch('touched', null)).toBe(true);
        await advance(5);
        expect(await cache.getMany(['set', 'added', 'many', 'touched'])).toEqual({
          set: 'eggs',
          added: 'ham',
          many: 'spam',
          touched: 'bacon',
        });
        expect(await cache.add('added', 'other', null)).toBe(false);
        expect(await cache.get('added')).toBe('ham');
      },
    );

    test('a default timeout of null stores without expiry (CFG-10)', async () => {
      const lasting = await another({ timeout: null });
      await lasting.set('key', 'value');
      expect(lasting.defaultTimeout).toBeNull();
      expect(await lasting.get('key')).toBe('value');
    });

    test('a default timeout of 0 turns the alias off (CFG-12)', async () => {
      const off = await another({ timeout: 0 });
      await off.set('key', 'value');
      expect(await off.get('key')).toBeUndefined();
      await off.set('key', 'value', 100);
      expect(await off.get('key')).toBe('value');
    });

    test.each([0, -1, -1000])(
      'set() for %d seconds leaves nothing (TMO-03, TMO-05)',
      async (timeout) => {
        await cache.set('key', 'old');
        await cache.set('key', 'new', timeout);
        expect(await cache.get('key')).toBeUndefined();
        expect(await cache.hasKey('key')).toBe(false);
        await cache.setMany({ a: 1, b: 2 });
        await cache.setMany({ a: 3, b: 4 }, timeout);
        expect(await cache.getMany(['a', 'b'])).toEqual({});
      },
    );

    test.each([0, -1])(
      'add() for %d seconds is accepted, and not readable (TMO-04, TMO-05)',
      async (timeout) => {
        expect(await cache.add('key', 'value', timeout)).toBe(true);
        expect(await cache.get('key')).toBeUndefined();
        await cache.set('key', 'live');
        expect(await cache.add('key', 'value', timeout)).toBe(false);
        expect(await cache.get('key')).toBe('live');
      },
    );

    test('fractions of a second are taken (TMO-06)', async () => {
      await cache.set('set', 'spam', 100.2);
      await cache.add('added', 'eggs', 100.2);
      await cache.setMany({ many: 'ham' }, 100.2);
      expect(await cache.getMany(['set', 'added', 'many'])).toEqual({
        set: 'spam',
        added: 'eggs',
        many: 'ham',
      });
    });

    testOfTime(
      `half a second ${fractionalTimeouts ? 'counts' : 'is none'} (TMO-07)`,
      async ({ advance, cache }) => {
        await cache.set('key', 'value', 0.5);
        expect(await cache.hasKey('key')).toBe(fractionalTimeouts);
        await advance(1);
        expect(await cache.hasKey('key')).toBe(false);
      },
    );

    test.each([
      ['a second over 30 days', 60 * 60 * 24 * 30 + 1],
      ['a year', 60 * 60 * 24 * 365],
    ])('%s is not too long (TMO-08)', async (_name, timeout) => {
      await cache.set('key1', 'eggs', timeout);
      await cache.add('key2', 'ham', timeout);
      await cache.setMany({ key3: 'sausage', key4: 'lobster bisque' }, timeout);
      expect(await cache.touch('key1', timeout)).toBe(true);
      expect(await cache.getMany(['key1', 'key2', 'key3', 'key4'])).toEqual({
        key1: 'eggs',
        key2: 'ham',
        key3: 'sausage',
        key4: 'lobster bisque',
      });
    });

    test.each([
      ['NaN', Number.NaN],
      ['Infinity', Number.POSITIVE_INFINITY],
      ['-Infinity', Number.NEGATIVE_INFINITY],
      ['a string', '10'],
      ['a date', new Date()],
    ])('%s is no timeout (CONV-04)', async (_name, timeout) => {
      const notATimeout = timeout as number;
      await cache.set('key', 'old');
      await expect(cache.set('key', 'new', notATimeout)).rejects.toThrow(TypeError);
      await expect(cache.add('other', 'new', notATimeout)).rejects.toThrow(TypeError);
      await expect(cache.touch('key', notATimeout)).rejects.toThrow(TypeError);
      await expect(cache.setMany({ other: 'new' }, notATimeout)).rejects.toThrow(TypeError);
      await expect(cache.getOrSet('other', 'new', notATimeout)).rejects.toThrow(TypeError);
      expect(await cache.get('key')).toBe('old');
      expect(await cache.hasKey('other')).toBe(false);
    });
  });
}
