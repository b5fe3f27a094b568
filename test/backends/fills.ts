import type { BaseCache } from 'cachewright';
import { type Deferred, deferred } from '../support/deferred';
import { eventually } from '../support/eventually';
import type { OpenShared } from './tagged';

/** What takes an older value from the cache, or puts another in its place. */
const CHANGES: Record<string, (cache: BaseCache) => Promise<unknown>> = {
  'delete()': (cache) => cache.delete('key'),
  'deleteMany()': (cache) => cache.deleteMany(['other', 'key']),
  'clear()': (cache) => cache.clear(),
  'set() for no time': (cache) => cache.set('key', 'v2', 0),
  'setMany() for no time': (cache) => cache.setMany({ key: 'v2' }, 0),
  'set(), and delete()': async (cache) => {
    await cache.set('key', 'v2');
    await cache.delete('key');
  },
  'incrVersion()': async (cache) => {
    await cache.set('key', 'v2');
    await cache.incrVersion('key');
  },
  'add(), and touch() for no time': async (cache) => {
    expect(await cache.add('key', 'v2')).toBe(true);
    expect(await cache.touch('key', 0)).toBe(true);
  },
};

/** What is promised of `getOrSet` while others change the key, on every backend. */
export function describeFills(name: string, open: OpenShared): void {
  describe(`values being made: ${name}`, () => {
    let cache: BaseCache;
    let other: BaseCache;
    let data: string;
    let reads: string[];
    let gate: Deferred<void>;

    beforeEach(async () => {
      cache = await open();
      other = await open();
      data = 'v1';
      reads = [];
      gate = deferred();
    });
    afterEach(async () => {
      await cache.clear();
      await Promise.all([cache.close(), other.close()]);
    });

    /** Reads the data, and takes its time. */
    async function make(): Promise<string> {
      const read = data;
      reads.push(read);
      await gate.promise;
      return read;
    }

    /** Until `make` has read so often. */
    function haveRead(times: number): Promise<void> {
      return eventually(() => expect(reads).toHaveLength(times));
    }

    describe.each(Object.entries(CHANGES))('%s', (_how, change) => {
      test.each([
        ['the same process', () => cache],
        ['another process', () => other],
      ])('by %s: nobody who asks later gets what was being made', async (_who, changer) => {
        const first = cache.getOrSet('key', make, 60);
        await haveRead(1);
        data = 'v2';
        await change(changer());
        const joined = cache.getOrSet('key', make, 60);
        gate.resolve();
        await first;
        expect(await joined).toBe('v2');
        for (const by of [cache, other]) {
          expect(await by.getOrSet('key', make, 60)).toBe('v2');
          expect(await by.get('key')).toBe('v2');
        }
        expect(reads).toEqual(['v1', 'v2']);
      });

      test('two processes that were making it store nothing of old', async () => {
        const both = [cache, other].map((by) => by.getOrSet('key', make, 60));
        await haveRead(2);
        data = 'v2';
        await change(other);
        gate.resolve();
        await Promise.all(both);
        expect(await cache.get('key')).toBeUndefined();
        expect(await other.getOrSet('key', make, 60)).toBe('v2');
        expect(await cache.get('key')).toBe('v2');
      });
    });

    describe('a page that is about to be stored', () => {
      const digest = '0123456789abcdef'.repeat(2);
      const page = `views.decorators.cache.cache_page.site.GET.${digest}.${digest}`;
      const DEADLINE_MS = 5000;
      const frozen = (text: string) => ({
        byteLength: text.length,
        toBytes: () => Buffer.from(`${text}${'.'.repeat(300)}`),
      });
      const put = async (by: BaseCache, text: string, token?: object) =>
        by.setFrozen(page, frozen(text), 60, DEADLINE_MS, token);
      const find = async (by: BaseCache) => {
        const found = await by.getFrozen(page, DEADLINE_MS, true);
        const bytes = found instanceof Uint8Array ? Buffer.from(found) : found?.toBytes();
        return bytes?.toString().replaceAll('.', '') || undefined;
      };

      describe.each([
        ['where there is none', undefined],
        ['in the place of an older one', 'old'],
      ])('%s', (_where, old) => {
        test.each([true, false])('is stored if nothing happens (told of it: %s)', async (told) => {
          if (old !== undefined) await put(other, old);
          const { found, token } = await cache.openFrozen(page, DEADLINE_MS, told);
          expect(found === undefined).toBe(!told || old === undefined);
          expect(token).toBeDefined();
          expect(await put(cache, 'new', token)).toBe(true);
          for (const by of [cache, other]) expect(await find(by)).toBe('new');
        });

        test.each<[string, (by: BaseCache) => Promise<unknown>]>([
          ['delete()', (by) => by.delete(page)],
          ['deleteMany()', (by) => by.deleteMany(['other', page])],
          ['clear()', (by) => by.clear()],
        ])('is not after %s, by whomever', async (_how, remove) => {
          for (const told of [true, false]) {
            for (const remover of [cache, other]) {
              if (old !== undefined) await put(other, old);
              const { token } = await cache.openFrozen(page, DEADLINE_MS, told);
              await remove(remover);
              expect(await put(cache, 'new', token)).toBe(false);
              for (const by of [cache, other]) expect(await find(by)).toBeUndefined();
            }
          }
        });
      });

      test('is told of what is there', async () => {
        await put(other, 'old');
        const { found } = await cache.openFrozen(page, DEADLINE_MS, true);
        const bytes = found instanceof Uint8Array ? Buffer.from(found) : found!.toBytes();
        expect(bytes.toString()).toMatch(/^old\.+$/);
      });

      test('is not there before', async () => {
        await cache.openFrozen(page, DEADLINE_MS, false);
        for (const by of [cache, other]) {
          expect(await by.get(page)).toBeUndefined();
          expect(await by.hasKey(page)).toBe(false);
        }
      });
    });

    test('a value that was put there and has gone again was newer', async () => {
      const first = cache.getOrSet('key', make, 60);
      await haveRead(1);
      data = 'v2';
      await other.delete('key');
      const second = other.getOrSet('key', make, 60);
      await haveRead(2);
      data = 'v3';
      await cache.delete('key');
      gate.resolve();
      await Promise.all([first, second]);
      expect(await cache.get('key')).toBeUndefined();
    });

    test('what is made of old is not stored in the place of what is made anew', async () => {
      const first = cache.getOrSet('key', make, 60);
      await haveRead(1);
      data = 'v2';
      await other.delete('key');
      const later = deferred();
      const second = other.getOrSet(
        'key',
        async () => {
          reads.push(data);
          await later.promise;
          return 'v2';
        },
        60,
      );
      await haveRead(2);
      gate.resolve();
      expect(await first).toBe('v1');
      expect(await cache.get('key')).toBeUndefined();
      later.resolve();
      expect(await second).toBe('v2');
      expect(await cache.get('key')).toBe('v2');
    });

    test('who waits for what is made anew waits for no third', async () => {
      const gates = [deferred(), deferred()];
      const makeInTurn = async () => {
        const read = data;
        await gates[reads.push(read) - 1]!.promise;
        return read;
      };
      const looks = jest.spyOn(cache, 'get');
      const first = cache.getOrSet('key', makeInTurn, 60);
      await haveRead(1);
      data = 'v2';
      await other.delete('key');
      const joined = [1, 2, 3].map(() => cache.getOrSet('key', makeInTurn, 60));
      gates[0]!.resolve();
      await first;
      await haveRead(2);
      // The first call looks before and after it has made its value, the others once for each making.
      await eventually(() => expect(looks).toHaveBeenCalledTimes(8));
      await Promise.all(looks.mock.results.map(({ value }) => value as Promise<unknown>));
      await other.delete('key');
      gates[1]!.resolve();
      expect(await Promise.all(joined)).toEqual(['v2', 'v2', 'v2']);
      expect(reads).toEqual(['v1', 'v2']);
    });

    test.each([
      ['set()', (by: BaseCache) => by.set('key', 'theirs')],
      ['setMany()', (by: BaseCache) => by.setMany({ key: 'theirs' })],
      ['add()', (by: BaseCache) => by.add('key', 'theirs')],
    ])(
      'what another stores by %s meanwhile stays, and is returned (API-33)',
      async (_how, store) => {
        const first = cache.getOrSet('key', make, 60);
        await haveRead(1);
        await store(other);
        gate.resolve();
        expect(await first).toBe('theirs');
        expect(await other.get('key')).toBe('theirs');
      },
    );

    test('other keys and versions may change', async () => {
      const first = cache.getOrSet('key', make, 60);
      await haveRead(1);
      await other.delete('other');
      await other.delete('key', { version: 2 });
      await other.deleteMany(['another']);
      gate.resolve();
      expect(await first).toBe('v1');
      expect(await other.get('key')).toBe('v1');
    });

    test('two processes that make it at once both get a value, which stays', async () => {
      const both = [cache, other].map((by) => by.getOrSet('key', make, 60));
      await haveRead(2);
      gate.resolve();
      expect(await Promise.all(both)).toEqual(['v1', 'v1']);
      expect(await cache.get('key')).toBe('v1');
      expect(await other.getOrSet('key', make, 60)).toBe('v1');
      expect(reads).toHaveLength(2);
    });

    test('who asks while it is made joins, in the same process', async () => {
      const first = cache.getOrSet('key', make, 60);
      await haveRead(1);
      const joined = [1, 2, 3].map(() => cache.getOrSet('key', make, 60));
      await new Promise((resolve) => setImmediate(resolve));
      gate.resolve();
      expect(await Promise.all([first, ...joined])).toEqual(['v1', 'v1', 'v1', 'v1']);
      expect(reads).toHaveLength(1);
    });

    test('while it is made it is not there', async () => {
      const first = cache.getOrSet('key', make, 60);
      await haveRead(1);
      for (const by of [cache, other]) {
        expect(await by.get('key', 'fallback')).toBe('fallback');
        expect(await by.hasKey('key')).toBe(false);
        expect(await by.getMany(['key', 'other'])).toEqual({});
        expect(await by.touch('key', 600)).toBe(false);
        await expect(by.incr('key')).rejects.toMatchObject({ code: 'ERR_CACHE_KEY_NOT_FOUND' });
        await expect(by.incrVersion('key')).rejects.toMatchObject({
          code: 'ERR_CACHE_KEY_NOT_FOUND',
        });
      }
      gate.resolve();
      expect(await first).toBe('v1');
      expect(await other.get('key')).toBe('v1');
    });

    test.each<[string, unknown]>([
      ['a number', 41],
      ['bytes', Buffer.from('bytes')],
      ['a long text', 'long '.repeat(20_000)],
      ['an object', { list: [1, { deep: true }] }],
    ])('%s is stored as by set()', async (_kind, value) => {
      expect(await cache.getOrSet('key', () => value, 60)).toEqual(value);
      expect(await other.get('key')).toEqual(value);
      if (typeof value === 'number') expect(await other.incr('key')).toBe(value + 1);
      expect(await other.touch('key', 600)).toBe(true);
      expect(await other.add('key', 'none')).toBe(false);
      expect(await other.delete('key')).toBe(true);
      expect(await cache.hasKey('key')).toBe(false);
    });

    test('one that fails leaves nothing, and the next may make it', async () => {
      const first = cache.getOrSet('key', make, 60);
      await haveRead(1);
      const second = other.getOrSet('key', async () => 'other', 60);
      gate.reject(new Error('no value today'));
      await expect(first).rejects.toThrow('no value today');
      expect(await second).toBe('other');
      await cache.delete('key');
      await expect(
        cache.getOrSet('key', () => {
          throw new Error('not now');
        }),
      ).rejects.toThrow('not now');
      expect(await cache.delete('key')).toBe(false);
      expect(await cache.getOrSet('key', 'next')).toBe('next');
      expect(await other.get('key')).toBe('next');
    });

    test.each<[string, () => unknown]>([
      ['fails', () => Promise.reject(new Error('no value today'))],
      ['comes to nothing', () => undefined],
    ])('one that %s does not keep the value of another from being stored', async (_kind, none) => {
      const first = cache.getOrSet('key', make, 60);
      await haveRead(1);
      for (let i = 0; i < 2; i += 1) {
        await other.getOrSet('key', none, 60).catch((error: Error) => {
          expect(error.message).toBe('no value today');
        });
      }
      expect(await other.hasKey('key')).toBe(false);
      gate.resolve();
      expect(await first).toBe('v1');
      expect(await other.get('key')).toBe('v1');
    });

    test('one that cannot be stored leaves nothing', async () => {
      for (const tags of [undefined, ['tag']]) {
        const made = cache.getOrSet('key', () => ({ work: () => {} }), 60, { tags });
        await expect(made).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE' });
        expect(await other.delete('key')).toBe(false);
      }
    });

    test('one whose tags cannot be told leaves nothing', async () => {
      const tags = () => {
        throw new Error('no tags today');
      };
      await expect(cache.getOrSet('key', 'value', 60, { tags })).rejects.toThrow('no tags today');
      expect(await cache.delete('key')).toBe(false);
    });

    test('one that never ends keeps nobody else from making it', async () => {
      void cache.getOrSet('key', () => new Promise<string>(() => {}), 60);
      await eventually(async () => {
        await new Promise((resolve) => setImmediate(resolve));
        expect(await other.getOrSet('key', async () => 'made', 60)).toBe('made');
      });
      expect(await other.get('key')).toBe('made');
    });

    test('what was purged in the mean time is no more in the way than what was not there', async () => {
      await cache.set('key', 'old', 600, { tags: ['tag'] });
      await cache.invalidateTags(['tag']);
      const first = cache.getOrSet('key', make, 60);
      await haveRead(1);
      data = 'v2';
      await other.delete('key');
      gate.resolve();
      await first;
      expect(await cache.get('key')).toBeUndefined();
      await cache.set('key', 'old', 600, { tags: ['tag'] });
      await cache.invalidateTags(['tag']);
      expect(await other.getOrSet('key', make, 60)).toBe('v2');
      expect(await cache.get('key')).toBe('v2');
    });
  });
}
