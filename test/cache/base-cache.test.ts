import { BaseCache, type CacheParams, LocMemCache } from 'cachewright';
import reversedKey from '../fixtures/reversed-key';
import { stopClock } from '../support/clock';

const clock = stopClock();

describe('names', () => {
  test("of methods are Django's in camelCase (CONV-01)", () => {
    for (const name of [
      'get',
      'set',
      'add',
      'delete',
      'touch',
      'clear',
      'close',
      'getMany',
      'setMany',
      'deleteMany',
      'getOrSet',
      'hasKey',
      'incr',
      'decr',
      'incrVersion',
      'decrVersion',
    ]) {
      expect(BaseCache.prototype).toHaveProperty(name, expect.any(Function));
    }
  });

  test("of settings are Django's in camelCase (CONV-01)", () => {
    const settings: CacheParams = {
      timeout: 10,
      keyPrefix: 'p',
      version: 2,
      keyFunction: reversedKey,
      options: { maxEntries: 5, cullFrequency: 6 },
    };
    expect(new LocMemCache('names', settings)).toMatchObject({
      defaultTimeout: 10,
      keyPrefix: 'p',
      version: 2,
      keyFunction: reversedKey,
      maxEntries: 5,
      cullFrequency: 6,
    });
  });
});

describe('defaults', () => {
  test('are those of Django (CFG-08, CFG-09)', () => {
    expect(new LocMemCache()).toMatchObject({
      defaultTimeout: 300,
      keyPrefix: '',
      version: 1,
      maxEntries: 300,
      cullFrequency: 3,
    });
  });

  test('of the timeout is 300 seconds (CFG-08)', async () => {
    const cache = new LocMemCache('default timeout');
    await cache.set('key', 'value');
    clock.advance(299);
    expect(await cache.get('key')).toBe('value');
    clock.advance(1);
    expect(await cache.get('key')).toBeUndefined();
  });
});

describe('settings', () => {
  test('may be numbers in strings (CFG-11)', () => {
    expect(
      new LocMemCache('', {
        timeout: '1',
        options: { maxEntries: '30', cullFrequency: '0' },
      }),
    ).toMatchObject({ defaultTimeout: 1, maxEntries: 30, cullFrequency: 0 });
  });

  test.each<[string, CacheParams]>([
    ['timeout', { timeout: 'soon' }],
    ['timeout', { timeout: ' ' }],
    ['timeout', { timeout: Number.NaN }],
    ['timeout', { timeout: Number.POSITIVE_INFINITY }],
    ['timeout', { timeout: true as unknown as number }],
    ['options.maxEntries', { options: { maxEntries: 'many' } }],
    ['options.maxEntries', { options: { maxEntries: null } }],
    ['options.cullFrequency', { options: { cullFrequency: 'often' } }],
    ['options.cullFrequency', { options: { cullFrequency: -3 } }],
    ['timeout is NaN', { timeout: Number.NaN }],
    ['keyPrefix is 5. Give a string.', { keyPrefix: 5 as never }],
    ['keyPrefix is null', { keyPrefix: null as never }],
    ['version is an object. Give a number or a string.', { version: {} as never }],
    ['version is NaN', { version: Number.NaN }],
    ['keyFunction', { keyFunction: 'node:path#sep' }],
    ['keyFunction', { keyFunction: {} as never }],
  ])('that make no sense are refused, by name: %s (CFG-11, D12)', (name, params) => {
    expect(() => new LocMemCache('', params)).toThrow(TypeError);
    expect(() => new LocMemCache('', params)).toThrow(name);
  });

  test('keyFunction may be a function or its path, to the same end (CFG-13)', async () => {
    const byFunction = new LocMemCache('key function', { keyFunction: reversedKey });
    const byPath = new LocMemCache('key function', { keyFunction: './test/fixtures/reversed-key' });
    await byFunction.set('key', 'value');
    expect(await byPath.get('key')).toBe('value');
    expect(byPath.makeKey('key')).toBe('key|1|');
  });
});

describe('getOrSet()', () => {
  test('checks the timeout before all else (CONV-04)', async () => {
    const cache = new LocMemCache('timeouts');
    const make = jest.fn(() => 'made');
    await expect(cache.getOrSet('key', make, Number.NaN)).rejects.toThrow(/"key".*NaN/);
    expect(make).not.toHaveBeenCalled();
    await cache.set('key', 'there');
    await expect(cache.getOrSet('key', make, Number.NaN)).rejects.toThrow(TypeError);
  });
});

describe('incrVersion()', () => {
  test('needs a number to count from', async () => {
    const cache = new LocMemCache('versions', { version: 'x' });
    await cache.set('key', 'value');
    await expect(cache.incrVersion('key')).rejects.toThrow(TypeError);
    await expect(cache.incrVersion('key')).rejects.toThrow('"x"');
    expect(await cache.get('key')).toBe('value');
  });

  test('by nothing leaves the entry where it is', async () => {
    const cache = new LocMemCache('versions');
    await cache.set('key', 'value');
    expect(await cache.incrVersion('key', 0)).toBe(1);
    expect(await cache.get('key')).toBe('value');
  });
});

test.each([
  ['incr', 'incr("key")'],
  ['decr', 'decr("key")'],
  ['incrVersion', 'incrVersion("key")'],
  ['decrVersion', 'decrVersion("key")'],
] as const)(
  '%s() of nothing says so, with the key and what to do (API-17, KEY-10)',
  async (method, told) => {
    const error = await new LocMemCache('nothing')[method]('key').catch((reason) => reason);
    expect(error).toMatchObject({ name: 'CacheKeyNotFoundError', key: 'key' });
    expect(error.message).toContain(told);
    expect(error.message).toContain('add()');
  },
);
