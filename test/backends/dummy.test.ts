import { DummyCache } from 'cachewright';
import { catchWarnings } from '../support/process-warnings';

const warnings = catchWarnings();
const cache = new DummyCache();

test('what was set is a miss (DUM-01)', async () => {
  expect(await cache.set('key', 'value')).toBeUndefined();
  expect(await cache.get('key')).toBeUndefined();
  expect(await cache.get('key', 'bang!')).toBe('bang!');
});

test.each([
  ['a function', () => 1],
  ['a symbol', Symbol('value')],
  ['undefined', undefined],
  ['an object', { a: 1 }],
])('%s is accepted and ignored, as any value (DUM-01)', async (_name, value) => {
  await cache.set('key', value);
  expect(await cache.add('key', value)).toBe(true);
  expect(await cache.setMany({ key: value })).toEqual([]);
  expect(await cache.get('key')).toBeUndefined();
});

test('answers are those of an empty cache, always (DUM-02)', async () => {
  expect(await cache.add('key', 'value')).toBe(true);
  expect(await cache.add('key', 'value')).toBe(true);
  expect(await cache.delete('key')).toBe(false);
  expect(await cache.hasKey('key')).toBe(false);
  expect(await cache.touch('key')).toBe(false);
  expect(await cache.getMany(['key', 'other'])).toEqual({});
  expect(await cache.setMany({ key: 1, other: 2 })).toEqual([]);
  expect(await cache.deleteMany(['key', 'other'])).toBeUndefined();
  expect(await cache.clear()).toBeUndefined();
  expect(await cache.close()).toBeUndefined();
});

test.each(['incr', 'decr', 'incrVersion', 'decrVersion'] as const)(
  '%s() finds no entry, also right after set() (DUM-03)',
  async (method) => {
    await cache.set('answer', 42);
    await expect(cache[method]('answer')).rejects.toMatchObject({
      code: 'ERR_CACHE_KEY_NOT_FOUND',
      key: 'answer',
    });
  },
);

test('getOrSet() makes the value every time (DUM-04)', async () => {
  let calls = 0;
  const make = () => `made ${++calls}`;
  expect(await cache.getOrSet('key', 'default')).toBe('default');
  expect(await cache.getOrSet('key', make)).toBe('made 1');
  expect(await cache.getOrSet('key', make)).toBe('made 2');
  expect(await cache.getOrSet('key', null)).toBeNull();
  expect(await cache.getOrSet('key', () => null)).toBeNull();
});

test.each<[string, (key: string) => Promise<unknown>]>([
  ['get', (key) => cache.get(key)],
  ['set', (key) => cache.set(key, 1)],
  ['add', (key) => cache.add(key, 1)],
  ['touch', (key) => cache.touch(key)],
  ['delete', (key) => cache.delete(key)],
  ['hasKey', (key) => cache.hasKey(key)],
  ['incr', (key) => cache.incr(key).catch(() => {})],
  ['decr', (key) => cache.decr(key).catch(() => {})],
  ['getMany', (key) => cache.getMany(['good', key])],
  ['setMany', (key) => cache.setMany({ good: 1, [key]: 2 })],
  ['deleteMany', (key) => cache.deleteMany(['good', key])],
])('%s() warns of a key that Memcached would refuse (DUM-05)', async (_name, use) => {
  await use('key with spaces');
  expect(warnings).toEqual([
    expect.objectContaining({
      name: 'CacheKeyWarning',
      message: expect.stringContaining(':1:key with spaces'),
    }),
  ]);
});

test('culling options mean nothing (CULL-07)', async () => {
  const small = new DummyCache('', { options: { maxEntries: -1, cullFrequency: 0 } });
  await small.set('key', 1);
  expect(await small.get('key')).toBeUndefined();
});
