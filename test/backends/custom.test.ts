import {
  BaseCache,
  createCaches,
  InvalidCacheKeyError,
  LocMemCache,
  type Timeout,
  type VersionOption,
} from 'cachewright';
import { stopClock } from '../support/clock';
import { MapCache } from '../support/map-cache';
import { describeCacheContract } from './contract';

const clock = stopClock();

const traits = {
  advance: clock.advance,
  incrKeepsTimeout: false,
  atomicIncr: false,
  culling: 'ignored',
} as const;

// API-39, CULL-07: six methods are enough, and what is derived from them keeps the contract.
describeCacheContract('a custom backend', (params) => new MapCache('contract', params), traits);

/** As strict as Memcached about keys. */
class StrictCache extends MapCache {
  override validateKey(finalKey: string): void {
    if (!/^[!-~\u0080-\uffff]{1,250}$/.test(finalKey)) {
      throw new InvalidCacheKeyError(`Keys have 250 good characters, unlike ${finalKey}`, finalKey);
    }
  }
}

describeCacheContract('a strict custom backend', (params) => new StrictCache('strict', params), {
  ...traits,
  keyFaults: 'throw',
});

describe('the six methods', () => {
  class Empty extends BaseCache {}

  test.each<[string, (cache: BaseCache) => Promise<unknown>]>([
    ['add', (cache) => cache.add('key', 1)],
    ['get', (cache) => cache.get('key')],
    ['set', (cache) => cache.set('key', 1)],
    ['touch', (cache) => cache.touch('key')],
    ['delete', (cache) => cache.delete('key')],
    ['clear', (cache) => cache.clear()],
  ])('%s() is named when it is missing (CUST-02)', async (method, call) => {
    await expect(call(new Empty())).rejects.toMatchObject({
      code: 'ERR_CACHE_NOT_IMPLEMENTED',
      method,
      message: expect.stringMatching(new RegExp(`Empty.*${method}\\(\\)`)),
    });
  });

  test('are enough for all the others (API-39)', async () => {
    const cache = new MapCache('six');
    const own = Object.getOwnPropertyNames(MapCache.prototype).filter(
      (name) => name !== 'constructor',
    );
    expect(own.sort()).toEqual(['add', 'clear', 'delete', 'get', 'set', 'touch']);
    await cache.setMany({ a: 1, b: 2 });
    expect(await cache.getMany(['a', 'b'])).toEqual({ a: 1, b: 2 });
    expect(await cache.hasKey('a')).toBe(true);
    expect(await cache.decr('a', -2)).toBe(3);
    expect(await cache.incrVersion('b')).toBe(2);
    expect(await cache.getOrSet('c', () => 3)).toBe(3);
    await cache.deleteMany(['a', 'c']);
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual({});
    expect(await cache.close()).toBeUndefined();
  });
});

describe('a method of its own', () => {
  test('incr() serves decr() as well (API-39)', async () => {
    class Counting extends MapCache {
      readonly deltas: number[] = [];
      override async incr(_key: string, delta = 1) {
        this.deltas.push(delta);
        return 100;
      }
    }
    const cache = new Counting('counting');
    expect(await cache.incr('key', 2)).toBe(100);
    expect(await cache.decr('key', 3)).toBe(100);
    expect(cache.deltas).toEqual([2, -3]);
  });

  test('incrVersion() serves decrVersion() as well (API-39)', async () => {
    class Moving extends MapCache {
      override async incrVersion(_key: string, delta = 1) {
        return 10 + delta;
      }
    }
    expect(await new Moving('moving').decrVersion('key', 2)).toBe(8);
  });

  test('for several keys is taken through the registry, too (API-39)', async () => {
    class Many extends MapCache {
      override async getMany<T>(keys: Iterable<string>) {
        return { asked: [...keys] } as unknown as Record<string, T>;
      }
      override async setMany() {
        return ['failed'];
      }
      override async deleteMany() {
        throw new Error('deleteMany of its own');
      }
    }
    const caches = createCaches({ default: { backend: Many } });
    expect(await caches.default.getMany(['a'])).toEqual({ asked: ['a'] });
    expect(await caches.default.setMany({ a: 1 })).toEqual(['failed']);
    await expect(caches.default.deleteMany(['a'])).rejects.toThrow('of its own');
  });

  test('is not called for nothing to store or remove (API-09)', async () => {
    const calls: string[] = [];
    class Watched extends MapCache {
      override set(key: string, value: unknown, timeout?: Timeout, options?: VersionOption) {
        calls.push('set');
        return super.set(key, value, timeout, options);
      }
      override delete(key: string, options?: VersionOption) {
        calls.push('delete');
        return super.delete(key, options);
      }
    }
    const cache = new Watched('watched');
    await cache.setMany({});
    await cache.deleteMany([]);
    expect(calls).toEqual([]);
    await cache.setMany({ a: 1 });
    await cache.deleteMany(['a']);
    expect(calls).toEqual(['set', 'delete']);
  });
});

describe('getOrSet()', () => {
  test('returns the default if it could not be added (API-33)', async () => {
    class Full extends MapCache {
      override async add() {
        return false;
      }
    }
    const cache = new Full('full');
    expect(await cache.getOrSet('key', 'default')).toBe('default');
    expect(await cache.getOrSet('key', () => 'made')).toBe('made');
    expect(await cache.hasKey('key')).toBe(false);
  });

  test('hands on the error of a store that cannot be written to', async () => {
    class Broken extends MapCache {
      override async add(): Promise<never> {
        throw new Error('read-only');
      }
    }
    await expect(new Broken('broken').getOrSet('key', 1)).rejects.toThrow('read-only');
  });
});

test('a class that extends a built-in backend may change one thing (KEY-20)', async () => {
  const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  class Liberal extends LocMemCache {
    override validateKey(): void {}
  }
  const key = `${'some spaces '.repeat(25)}k`;
  expect(key.length).toBeGreaterThan(300);
  const cache = new Liberal('liberal');
  await cache.set(key, 'value');
  expect(await cache.get(key)).toBe('value');
  expect(emitWarning).not.toHaveBeenCalled();
  await new LocMemCache('liberal').get(key);
  expect(emitWarning).toHaveBeenCalledTimes(2);
  emitWarning.mockRestore();
});
