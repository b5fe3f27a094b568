import type { BaseCache, CacheParams } from 'cachewright';
import { stopClock } from '../support/clock';
import { deferred } from '../support/deferred';
import { eventually } from '../support/eventually';
import { catchWarnings } from '../support/process-warnings';

/** Opens a cache; those that are opened in one test see each other's entries, as processes do. */
export type OpenShared = (params?: CacheParams) => BaseCache | Promise<BaseCache>;

/** Where backends differ. */
export interface TaggedHabits {
  /** Whether soft purges are told from hard ones. @defaultValue true */
  readonly knowsSoft?: boolean;
}

let hours = 0;

/** What is promised of entries with tags on every backend. */
export function describeTagged(
  name: string,
  open: OpenShared,
  { knowsSoft = true }: TaggedHabits = {},
): void {
  describe(`entries with tags: ${name}`, () => {
    const clock = stopClock();
    const warnings = catchWarnings();
    const opened: BaseCache[] = [];
    let cache: BaseCache;
    let other: BaseCache;

    async function another(params?: CacheParams): Promise<BaseCache> {
      const made = await open(params);
      opened.push(made);
      return made;
    }

    beforeEach(async () => {
      cache = await another();
      other = await another();
    });
    afterEach(async () => {
      await cache.clear();
      await Promise.all(opened.splice(0).map((made) => made.close()));
    });

    test.each<[string, unknown]>([
      ['an object', { name: 'lamp', sizes: [1, 2] }],
      ['an integer', 42],
      ['text', 'lamp'],
      ['null', null],
      ['bytes', Buffer.from([0xc1, 0, 1])],
    ])('%s is had until one of its tags is purged, by whomever', async (_kind, value) => {
      await cache.set('key', value, 60, { tags: ['product:42', 'list'] });
      await cache.set('other', 'stays', 60, { tags: ['product:43'] });
      for (const reader of [cache, other, cache, other]) {
        expect(await reader.get('key')).toEqual(value);
        expect(await reader.hasKey('key')).toBe(true);
        expect(await reader.getMany(['key', 'other', 'absent'])).toEqual({
          key: value,
          other: 'stays',
        });
      }
      await other.invalidateTags(['list']);
      for (const reader of [cache, other]) {
        expect(await reader.get('key', 'fallback')).toBe('fallback');
        expect(await reader.hasKey('key')).toBe(false);
        expect(await reader.getMany(['key', 'other'])).toEqual({ other: 'stays' });
      }
    });

    test('what is stored after a purge is had', async () => {
      await cache.set('key', 'old', 60, { tags: ['tag'] });
      await cache.invalidateTags(['tag']);
      await cache.set('key', 'new', 60, { tags: ['tag'] });
      expect(await other.get('key')).toBe('new');
      await cache.set('key', 'plain');
      await cache.invalidateTags(['tag']);
      expect(await other.get('key')).toBe('plain');
    });

    test('an entry whose tags are others now is checked by those', async () => {
      await cache.set('key', 'first', 60, { tags: ['one'] });
      expect(await other.get('key')).toBe('first');
      await cache.set('key', 'second', 60, { tags: ['two'] });
      expect(await other.get('key')).toBe('second');
      await cache.invalidateTags(['one']);
      expect(await other.get('key')).toBe('second');
      await cache.invalidateTags(['two']);
      expect(await other.get('key')).toBeUndefined();
    });

    test('add() takes the place of what was purged, and of nothing else', async () => {
      expect(await cache.add('key', 'first', 60, { tags: ['tag'] })).toBe(true);
      expect(await other.add('key', 'second', 60, { tags: ['tag'] })).toBe(false);
      expect(await other.add('key', 'second')).toBe(false);
      expect(await other.get('key')).toBe('first');
      await other.invalidateTags(['tag']);
      expect(await cache.add('key', 'none', 0)).toBe(true);
      expect(await cache.get('key')).toBeUndefined();
      expect(await cache.add('key', 'second', 60, { tags: ['tag'] })).toBe(true);
      expect(await other.add('key', 'third')).toBe(false);
      expect(await other.get('key')).toBe('second');
      await other.invalidateTags(['tag']);
      expect(await cache.add('key', 'fourth')).toBe(true);
      await other.invalidateTags(['tag']);
      expect(await other.get('key')).toBe('fourth');
    });

    test('of many who add where something was purged one is told yes', async () => {
      await cache.set('key', 'old', 60, { tags: ['tag'] });
      await cache.invalidateTags(['tag']);
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? cache : other).add('key', i)),
      );
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect(await cache.get('key')).toBe(answers.indexOf(true));
    });

    test('touch() knows what was purged', async () => {
      await cache.set('key', 'value', 60, { tags: ['tag'] });
      expect(await cache.touch('key', 600)).toBe(true);
      expect(await cache.get('key')).toBe('value');
      await cache.set('ended', 'value', 60, { tags: ['tag'] });
      expect(await cache.touch('ended', 0)).toBe(true);
      expect(await cache.touch('ended', 0)).toBe(false);
      await cache.set('ended', 'value', 60, { tags: ['tag'] });
      await other.invalidateTags(['tag']);
      expect(await cache.touch('key', 600)).toBe(false);
      expect(await cache.touch('ended', 0)).toBe(false);
    });

    test('an entry with tags is not counted, and one that was purged is not there', async () => {
      await cache.set('key', 5, 60, { tags: ['tag'] });
      await expect(cache.incr('key')).rejects.toMatchObject({
        code: 'ERR_CACHE_VALUE',
        message: expect.stringContaining('a value with tags'),
      });
      await expect(other.decr('key')).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE' });
      expect(await cache.get('key')).toBe(5);
      await other.invalidateTags(['tag']);
      await expect(cache.incr('key')).rejects.toMatchObject({ code: 'ERR_CACHE_KEY_NOT_FOUND' });
    });

    test('delete() and set() do with it as with any other', async () => {
      await cache.set('key', 'value', 60, { tags: ['tag'] });
      expect(await other.delete('key')).toBe(true);
      expect(await cache.get('key')).toBeUndefined();
      await cache.set('key', 'value', 60, { tags: ['tag'] });
      await other.set('key', 'value', 0);
      expect(await cache.get('key')).toBeUndefined();
    });

    test('setMany() gives its tags to all', async () => {
      await cache.setMany({ a: 1, b: 'two' }, 60, { tags: ['tag'], version: 2 });
      await cache.setMany({}, 60, { tags: ['tag'] });
      expect(await other.getMany(['a', 'b'], { version: 2 })).toEqual({ a: 1, b: 'two' });
      await other.invalidateTags(['tag']);
      expect(await cache.getMany(['a', 'b'], { version: 2 })).toEqual({});
    });

    test('incrVersion() takes the tags along', async () => {
      await cache.set('key', 'value', 60, { tags: ['tag'] });
      expect(await cache.incrVersion('key')).toBe(2);
      expect(await other.get('key', undefined, { version: 2 })).toBe('value');
      await other.invalidateTags(['tag']);
      expect(await cache.get('key', undefined, { version: 2 })).toBeUndefined();
      await expect(cache.incrVersion('key', 1, { version: 2 })).rejects.toMatchObject({
        code: 'ERR_CACHE_KEY_NOT_FOUND',
      });
    });

    test('clear() leaves none, and what is stored then is had', async () => {
      await cache.set('key', 'value', 60, { tags: ['tag'] });
      await other.clear();
      expect(await cache.get('key')).toBeUndefined();
      await cache.set('key', 'new', 60, { tags: ['tag'] });
      expect(await other.get('key')).toBe('new');
    });

    test('no tags are none', async () => {
      await cache.set('key', 5, 60, { tags: [] });
      expect(await cache.incr('key')).toBe(6);
    });

    test('tags are strings that are not empty, in a list', async () => {
      const bad = [[''], [7], 'news'] as never[];
      for (const tags of bad) {
        await expect(cache.set('key', 1, 60, { tags })).rejects.toThrow(TypeError);
        await expect(cache.add('key', 1, 60, { tags })).rejects.toThrow(TypeError);
        await expect(cache.setMany({ key: 1 }, 60, { tags })).rejects.toThrow(TypeError);
        await expect(cache.getOrSet('key', 1, 60, { tags })).rejects.toThrow(TypeError);
        await expect(cache.getOrSet('key', 1, 60, { tags: () => tags })).rejects.toThrow(TypeError);
      }
      expect(await cache.get('key')).toBeUndefined();
    });

    test.each<[string, { tags: string[] | ((product: { id: number }) => string[]) }]>([
      ['known before', { tags: ['product:42'] }],
      ['told by what was made', { tags: ({ id }) => [`product:${id}`] }],
    ])('getOrSet() keeps what it made until a tag is purged, %s', async (_kind, options) => {
      let calls = 0;
      const make = async () => {
        calls += 1;
        return { id: 42, calls };
      };
      const ask = (by: BaseCache) => by.getOrSet('key', make, 60, options);
      for (const by of [cache, other, cache]) expect(await ask(by)).toEqual({ id: 42, calls: 1 });
      await other.invalidateTags(['product:42']);
      for (const by of [cache, other, cache]) expect(await ask(by)).toEqual({ id: 42, calls: 2 });
      await cache.invalidateTags(['product:7']);
      expect(await ask(cache)).toEqual({ id: 42, calls: 2 });
    });

    test.each<[string, { tags: string[] | (() => string[]) }]>([
      ['known before', { tags: ['tag'] }],
      ['told by what was made', { tags: () => ['tag'] }],
    ])(
      'nobody who asks after a purge gets what was being made of older data, %s',
      async (_kind, options) => {
        let data = 'v1';
        const reads: string[] = [];
        const gate = deferred();
        const make = async () => {
          const read = data;
          reads.push(read);
          await gate.promise;
          return read;
        };
        const first = cache.getOrSet('key', make, 60, options);
        await eventually(() => expect(reads).toEqual(['v1']));
        data = 'v2';
        await other.invalidateTags(['tag']);
        const joined = cache.getOrSet('key', make, 60, options);
        const foreign = other.getOrSet('key', make, 60, options);
        gate.resolve();
        await first;
        expect(await joined).toBe('v2');
        expect(await foreign).toBe('v2');
        for (const by of [cache, other]) {
          expect(await by.getOrSet('key', make, 60, options)).toBe('v2');
          expect(await by.get('key')).toBe('v2');
        }
      },
    );

    if (!knowsSoft) {
      test('a soft purge is a hard one', async () => {
        await cache.set('key', 'old', 600, { tags: ['tag'] });
        await other.invalidateTags(['tag'], { mode: 'soft' });
        expect(await cache.get('key')).toBeUndefined();
      });
      return;
    }

    test('what was purged softly is shown once more, while it is made anew', async () => {
      let data = 'v1';
      let calls = 0;
      const gate = deferred();
      const make = async () => {
        calls += 1;
        const read = data;
        if (calls > 1) await gate.promise;
        return read;
      };
      const ask = (by: BaseCache) => by.getOrSet('key', make, 600, { tags: ['tag'] });
      await ask(cache);
      data = 'v2';
      await other.invalidateTags(['tag'], { mode: 'soft' });
      expect(await cache.get('key')).toBe('v1');
      expect(await ask(cache)).toBe('v1');
      expect(await ask(cache)).toBe('v1');
      await eventually(() => expect(calls).toBe(2));
      expect(await ask(cache)).toBe('v1');
      gate.resolve();
      await eventually(async () => expect(await cache.get('key')).toBe('v2'));
      for (const by of [cache, other]) expect(await ask(by)).toBe('v2');
      expect(calls).toBe(2);
    });

    test('it is shown for a minute at most, and the failure told of once', async () => {
      // What was told of in another test is not told of again in the same minute.
      hours += 1;
      clock.advance(hours * 3600);
      await cache.set('key', 'old', 600, { tags: ['tag'] });
      await other.invalidateTags(['tag'], { mode: 'soft' });
      expect(await cache.add('key', 'none')).toBe(false);
      let calls = 0;
      const fails = async () => {
        calls += 1;
        throw new Error('no value today');
      };
      expect(await cache.getOrSet('key', fails, 600)).toBe('old');
      await eventually(() => expect(calls).toBe(1));
      await eventually(async () => {
        expect(await cache.getOrSet('key', fails, 600)).toBe('old');
        expect(calls).toBeGreaterThan(1);
      });
      const told = warnings.filter(({ code }) => code === 'CACHEWRIGHT_REFRESH');
      expect(told).toHaveLength(1);
      clock.advance(59);
      expect(await cache.get('key')).toBe('old');
      clock.advance(1);
      expect(await cache.get('key')).toBeUndefined();
      await expect(cache.getOrSet('key', fails, 600)).rejects.toThrow('no value today');
    });

    test('a hard purge after a soft one leaves nothing to be shown', async () => {
      await cache.set('key', 'old', 600, { tags: ['tag'] });
      await cache.invalidateTags(['tag'], { mode: 'soft' });
      expect(await other.get('key')).toBe('old');
      await cache.invalidateTags(['tag']);
      expect(await other.get('key')).toBeUndefined();
    });

    test.each<[string, readonly string[] | undefined]>([
      ['without tags', undefined],
      ['with tags', ['tag']],
    ])('what is stored %s in place of a stale entry is kept', async (_kind, tags) => {
      await cache.set('key', 'old', 600, { tags: ['tag'] });
      await cache.invalidateTags(['tag'], { mode: 'soft' });
      expect(await cache.get('key')).toBe('old');
      await other.set('key', 'new', 600, { tags });
      expect(await other.get('key')).toBe('new');
      for (let i = 0; i < 3; i += 1) {
        expect(await cache.getOrSet('key', () => 'made', 600, { tags })).toBe('new');
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await cache.get('key')).toBe('new');
    });

    test('what is made anew without tags is not made once more', async () => {
      await cache.set('key', 'old', 600, { tags: ['tag'] });
      await cache.invalidateTags(['tag'], { mode: 'soft' });
      let calls = 0;
      const make = () => {
        calls += 1;
        return `v${calls}`;
      };
      expect(await cache.getOrSet('key', make, 600)).toBe('old');
      await eventually(async () => expect(await cache.get('key')).toBe('v1'));
      for (let i = 0; i < 3; i += 1) {
        expect(await cache.getOrSet('key', make, 600)).toBe('v1');
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(calls).toBe(1);
    });
  });
}
