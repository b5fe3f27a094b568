import type { BaseCache } from 'cachewright';
import type { ContractContext } from './context';

/** Versions, prefixes and key functions, which keep entries apart. */
export function describeVersions(context: ContractContext): void {
  const { another, testOfTime } = context;
  const { sharesStore } = context.traits;

  describe('versions and prefixes', () => {
    let cache: BaseCache;
    beforeEach(() => {
      cache = context.cache();
    });

    test('an entry is seen at its own version only (KEY-04)', async () => {
      await cache.set('one', 1);
      expect(await cache.get('one', undefined, { version: 2 })).toBeUndefined();
      await cache.set('two', 2, undefined, { version: 2 });
      expect(await cache.get('two')).toBeUndefined();
      expect(await cache.get('two', undefined, { version: 2 })).toBe(2);
    });

    test('incrVersion() moves an entry up (KEY-08)', async () => {
      await cache.set('answer', 42, undefined, { version: 2 });
      expect(await cache.incrVersion('answer', 1, { version: 2 })).toBe(3);
      expect(await cache.get('answer', undefined, { version: 2 })).toBeUndefined();
      expect(await cache.get('answer', undefined, { version: 3 })).toBe(42);
    });

    test('incrVersion() starts from the version of the alias (KEY-08)', async () => {
      const v2 = await another({ version: 2 });
      await v2.set('answer', 42);
      expect(await v2.incrVersion('answer')).toBe(3);
      expect(await v2.get('answer')).toBeUndefined();
      expect(await v2.get('answer', undefined, { version: 3 })).toBe(42);
    });

    test('decrVersion() moves an entry down, to zero if need be (KEY-09)', async () => {
      await cache.set('answer', 42, undefined, { version: 2 });
      expect(await cache.decrVersion('answer', 1, { version: 2 })).toBe(1);
      expect(await cache.get('answer')).toBe(42);
      expect(await cache.get('answer', undefined, { version: 2 })).toBeUndefined();
      expect(await cache.decrVersion('answer')).toBe(0);
      expect(await cache.get('answer', undefined, { version: 0 })).toBe(42);
    });

    test('versions move by any delta (KEY-09)', async () => {
      await cache.set('answer', 42);
      expect(await cache.incrVersion('answer', 5)).toBe(6);
      expect(await cache.get('answer', undefined, { version: 6 })).toBe(42);
    });

    test.each(['incrVersion', 'decrVersion'] as const)(
      '%s() of a missing key is an error that names it (KEY-10, CONV-05)',
      async (method) => {
        await expect(cache[method]('missing')).rejects.toMatchObject({
          code: 'ERR_CACHE_KEY_NOT_FOUND',
          key: 'missing',
          message: expect.stringContaining('missing'),
        });
      },
    );

    test('a stored null moves as any value does (KEY-10)', async () => {
      await cache.set('nothing', null);
      expect(await cache.incrVersion('nothing')).toBe(2);
      expect(await cache.get('nothing', 'fallback', { version: 2 })).toBeNull();
      expect(await cache.decrVersion('nothing', 1, { version: 2 })).toBe(1);
      expect(await cache.get('nothing', 'fallback')).toBeNull();
    });

    test('incrVersion() looks at the version it was given, or the default (KEY-11)', async () => {
      await cache.set('key', 'value', undefined, { version: 2 });
      await expect(cache.incrVersion('key')).rejects.toMatchObject({
        code: 'ERR_CACHE_KEY_NOT_FOUND',
      });
      expect(await cache.get('key', undefined, { version: 2 })).toBe('value');
    });

    testOfTime('incrVersion() gives the default timeout (KEY-12)', async ({ advance, another }) => {
      // Not for one second: servers that count by ticks may end that one at once, and busy
      // machines take their time.
      const brief = await another({ timeout: 4 });
      await brief.set('key', 'value', null);
      await brief.incrVersion('key');
      expect(await brief.get('key', undefined, { version: 2 })).toBe('value');
      await advance(5);
      expect(await brief.get('key', undefined, { version: 2 })).toBeUndefined();
    });

    if (sharesStore) {
      describeSharedStore(another);
      describeVersionMatrix(another);
    }
  });
}

function describeSharedStore(another: ContractContext['another']): void {
  const reversed = (key: string, prefix: string, version: number | string) =>
    [key, version, prefix].join('|');

  test('aliases of another prefix or key function see nothing of one another (KEY-03)', async () => {
    const caches = [
      await another(),
      await another({ keyPrefix: 'prefix' }),
      await another({ keyFunction: reversed }),
    ];
    for (const [i, cache] of caches.entries()) {
      expect(await cache.get('key')).toBeUndefined();
      expect(await cache.add('key', `of ${i}`)).toBe(true);
    }
    for (const [i, cache] of caches.entries()) expect(await cache.get('key')).toBe(`of ${i}`);
    await caches[1]!.delete('key');
    expect(await caches[0]!.get('key')).toBe('of 0');
    expect(await caches[2]!.get('key')).toBe('of 2');
  });

  test('every method uses the result of the key function as it is (KEY-02)', async () => {
    const custom = await another({ keyPrefix: 'p', version: 3, keyFunction: reversed });
    const plain = await another({ keyFunction: (key) => key });
    const there = 'k|3|p';
    await custom.set('k', 1);
    expect(await plain.get(there)).toBe(1);
    expect(await custom.get('k')).toBe(1);
    expect(await custom.hasKey('k')).toBe(true);
    expect(await custom.add('k', 2)).toBe(false);
    expect(await custom.incr('k')).toBe(2);
    expect(await custom.decr('k')).toBe(1);
    expect(await custom.touch('k', 100)).toBe(true);
    expect(await custom.getMany(['k'])).toEqual({ k: 1 });
    expect(await custom.getOrSet('k', 5)).toBe(1);
    await custom.setMany({ k: 7 });
    expect(await plain.get(there)).toBe(7);
    expect(await custom.incrVersion('k')).toBe(4);
    expect(await plain.get('k|4|p')).toBe(7);
    expect(await custom.decrVersion('k', 1, { version: 4 })).toBe(3);
    await custom.deleteMany(['k']);
    expect(await plain.hasKey(there)).toBe(false);
    await plain.set(there, 8);
    expect(await custom.delete('k')).toBe(true);
  });

  test('an alias of version 2 reads version 1 when asked to (KEY-05)', async () => {
    const v1 = await another();
    const v2 = await another({ version: 2 });
    await v1.set('key', 'value');
    expect(await v2.get('key')).toBeUndefined();
    expect(await v2.get('key', undefined, { version: 1 })).toBe('value');
  });
}

/** One way to address a version: by the alias's own, or by naming it. */
interface Address {
  readonly cache: BaseCache;
  readonly options: { readonly version?: number };
  readonly version: 1 | 2;
}

function describeVersionMatrix(another: ContractContext['another']): void {
  const ADDRESSES: [string, 1 | 2, number | undefined, 1 | 2][] = [
    ['a v1 alias', 1, undefined, 1],
    ['a v1 alias with version 2', 1, 2, 2],
    ['a v2 alias', 2, undefined, 2],
    ['a v2 alias with version 1', 2, 1, 1],
  ];

  describe.each(ADDRESSES)('through %s', (_name, aliasVersion, explicit, version) => {
    let here: Address;
    let there: Address;
    let all: Address[];

    beforeEach(async () => {
      const aliases = { 1: await another({ version: 1 }), 2: await another({ version: 2 }) };
      all = ADDRESSES.map(([, alias, named, addressed]) => ({
        cache: aliases[alias],
        options: named === undefined ? {} : { version: named },
        version: addressed,
      }));
      here = {
        cache: aliases[aliasVersion],
        options: explicit === undefined ? {} : { version: explicit },
        version,
      };
      there = all.find((address) => address.version !== version)!;
    });

    /** What every address of the version, and of the other one, must read under `key`. */
    async function expectValues(key: string, own: unknown, other: unknown): Promise<void> {
      for (const { cache, options, version: read } of all) {
        expect(await cache.get(key, undefined, options)).toBe(read === version ? own : other);
      }
    }

    async function setBoth(own: unknown, other: unknown): Promise<void> {
      await here.cache.set('key', own, undefined, here.options);
      await there.cache.set('key', other, undefined, there.options);
    }

    test('set() and get() (KEY-06)', async () => {
      await here.cache.set('key', 42, undefined, here.options);
      await expectValues('key', 42, undefined);
      await setBoth(43, 44);
      await expectValues('key', 43, 44);
    });

    test('add() (KEY-06)', async () => {
      await there.cache.set('key', 37, undefined, there.options);
      expect(await here.cache.add('key', 42, undefined, here.options)).toBe(true);
      expect(await here.cache.add('key', 43, undefined, here.options)).toBe(false);
      await expectValues('key', 42, 37);
    });

    test('hasKey() (KEY-06)', async () => {
      await here.cache.set('key', 42, undefined, here.options);
      for (const { cache, options, version: read } of all) {
        expect(await cache.hasKey('key', options)).toBe(read === version);
      }
    });

    test('delete() (KEY-06)', async () => {
      await setBoth(37, 42);
      expect(await here.cache.delete('key', here.options)).toBe(true);
      await expectValues('key', undefined, 42);
    });

    test('deleteMany() (KEY-06)', async () => {
      await setBoth(37, 42);
      await here.cache.deleteMany(['key'], here.options);
      await expectValues('key', undefined, 42);
    });

    test('touch() (KEY-06)', async () => {
      await setBoth(37, 42);
      expect(await here.cache.touch('key', 0, here.options)).toBe(true);
      await expectValues('key', undefined, 42);
    });

    test('incr() and decr() (KEY-06)', async () => {
      await setBoth(37, 42);
      expect(await here.cache.incr('key', 1, here.options)).toBe(38);
      await expectValues('key', 38, 42);
      expect(await here.cache.decr('key', 2, here.options)).toBe(36);
      await expectValues('key', 36, 42);
    });

    test('setMany() and getMany() (KEY-06, KEY-07)', async () => {
      await here.cache.setMany({ key: 37, other: 38 }, undefined, here.options);
      await expectValues('key', 37, undefined);
      for (const { cache, options, version: read } of all) {
        const expected = read === version ? { key: 37, other: 38 } : {};
        expect(await cache.getMany(['key', 'other'], options)).toEqual(expected);
      }
    });

    test('getOrSet() (KEY-06)', async () => {
      await there.cache.set('key', 37, undefined, there.options);
      expect(await here.cache.getOrSet('key', 42, undefined, here.options)).toBe(42);
      await expectValues('key', 42, 37);
    });
  });
}
