import { BaseCache, LocMemCache } from 'cachewright';
import { deferred } from '../support/deferred';
import { eventually } from '../support/eventually';
import { MapCache } from '../support/map-cache';

test('whoever looked for long takes what was begun since, although it was changed again', async () => {
  let data = 'v1';
  const reads: string[] = [];
  const gates = [deferred(), deferred(), deferred()];
  const make = async () => {
    const read = data;
    await gates[reads.push(read) - 1]!.promise;
    return read;
  };
  let held: Promise<void> | undefined;
  class Slow extends LocMemCache {
    override async get(key: string, fallback?: unknown) {
      await held;
      return (await super.get(key, fallback)) as never;
    }
  }
  const cache = new Slow('get-or-set');
  const first = cache.getOrSet('key', make);
  await eventually(() => expect(reads).toEqual(['v1']));
  const look = deferred();
  held = look.promise;
  const slow = cache.getOrSet('key', make);
  held = undefined;
  data = 'v2';
  await cache.delete('key');
  gates[0]!.resolve();
  await first;
  const second = cache.getOrSet('key', make);
  await eventually(() => expect(reads).toEqual(['v1', 'v2']));
  look.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  await cache.delete('key');
  gates[1]!.resolve();
  expect(await Promise.all([second, slow])).toEqual(['v2', 'v2']);
  expect(reads).toEqual(['v1', 'v2']);
  await cache.clear();
});

test('a class of the site has no tags on data, and says so', async () => {
  const cache = new MapCache('get-or-set');
  expect(cache).toBeInstanceOf(BaseCache);
  const make = jest.fn(() => 1);
  await expect(cache.getOrSet('key', make, 60, { tags: ['tag'] })).rejects.toThrow(
    'getOrSet("key") got tags, but entries of MapCache have none. Leave them out.',
  );
  expect(make).not.toHaveBeenCalled();
  expect(await cache.getOrSet('key', make, 60)).toBe(1);
  expect(await cache.get('key')).toBe(1);
});

test('tags that are none are an error before a fill has begun', async () => {
  let begun = 0;
  class Watched extends LocMemCache {
    override beginFill(key: string) {
      begun += 1;
      return super.beginFill(key);
    }
  }
  const cache = new Watched('get-or-set-tags');
  const asked = cache.getOrSet('key', () => 'value', 60, { tags: [''] });
  await expect(asked).rejects.toThrow('A tag is "". Give a string.');
  expect(begun).toBe(0);
});
