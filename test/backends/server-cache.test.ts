import { DatabaseCache, MemcachedCache, RedisCache } from 'cachewright';
import { catchWarnings } from '../support/process-warnings';

const warnings = catchWarnings();

const onFailures: [string, () => unknown][] = [
  [
    'throws',
    () => {
      throw new Error('broken hook');
    },
  ],
  ['rejects', async () => Promise.reject(new Error('broken hook'))],
];

test.each(onFailures)(
  'a hook that %s costs the caller nothing, and is told of',
  async (how, onFailure) => {
    const cache = new MemcachedCache('127.0.0.1:1', { options: { onError: 'miss', onFailure } });
    // Each kind of failure is told of once a minute, so that each hook needs one of its own.
    if (how === 'throws') expect(await cache.get('key')).toBeUndefined();
    else expect(await cache.getMany(['key'])).toEqual({});
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining('broken hook'),
    ]);
    await cache.close();
  },
);

describe.each([
  [
    'Memcached',
    (onFailure: () => void) =>
      new MemcachedCache('127.0.0.1:1', { options: { onError: 'miss', onFailure } }),
  ],
  [
    'Redis',
    (onFailure: () => void) =>
      new RedisCache('redis://127.0.0.1:1', { options: { onError: 'miss', onFailure } }),
  ],
  [
    'a database',
    (onFailure: () => void) =>
      new DatabaseCache('cache', {
        options: { onError: 'miss', onFailure, database: 'postgres://127.0.0.1:1/none' },
      }),
  ],
])('where failures are misses, and %s cannot be reached', (_name, open) => {
  test('values are made, with tags or without, and nobody learns but the hook', async () => {
    const onFailure = jest.fn();
    const cache = open(onFailure);
    let calls = 0;
    const make = async () => {
      calls += 1;
      await new Promise((resolve) => setImmediate(resolve));
      return 'made';
    };
    const tags = ['tag'];
    const asked = [1, 2, 3].map(() => cache.getOrSet('key', make, 60, { tags }));
    expect(await Promise.all(asked)).toEqual(['made', 'made', 'made']);
    expect(await cache.getOrSet('key', make)).toBe('made');
    expect(calls).toBe(2);
    expect(onFailure).toHaveBeenCalled();
    await cache.set('key', 'value', 60, { tags });
    expect(await cache.add('key', 'value', 60, { tags })).toBe(false);
    expect(await cache.setMany({ key: 'value' }, 60, { tags })).toEqual(['key']);
    await expect(cache.invalidateTags(tags)).rejects.toThrow();
    await expect(
      cache.getOrSet('key', async () => {
        throw new Error('no value today');
      }),
    ).rejects.toThrow('no value today');
    await cache.close();
  });
});
