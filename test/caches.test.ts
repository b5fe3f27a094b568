import {
  BaseCache,
  CacheKeyNotFoundError,
  CacheKeyWarning,
  CacheMethodNotImplementedError,
  type CacheSettings,
  CacheValueError,
  cache,
  caches,
  configureCaches,
  createCaches,
  DummyCache,
  FileBasedCache,
  InvalidCacheBackendError,
  InvalidCacheKeyError,
  LocMemCache,
} from 'cachewright';
import { LoggedCache } from './fixtures/logged-cache';
import reversedKey from './fixtures/reversed-key';
import { catchWarnings } from './support/process-warnings';
import { settled } from './support/settled';
import { tempDirectories } from './support/temp-directory';

const makeDirectory = tempDirectories();

/** A fresh copy of the package, as it is before anything was configured. */
function freshPackage(): typeof import('cachewright') {
  let fresh: typeof import('cachewright') | undefined;
  jest.isolateModules(() => {
    fresh = require('cachewright');
  });
  return fresh!;
}

describe('without configuration', () => {
  test('there is one alias, default, on local memory without a name (CFG-01)', async () => {
    const fresh = freshPackage();
    expect(fresh.caches.default).toBeInstanceOf(fresh.LocMemCache);
    expect(fresh.caches.all()).toEqual([fresh.caches.default]);
    await fresh.caches.default.set('key', 'value');
    expect(await new fresh.LocMemCache('').get('key')).toBe('value');
    expect(await fresh.cache.get('key')).toBe('value');
  });

  test('any other alias is unknown (CFG-01, CFG-03)', () => {
    const fresh = freshPackage();
    expect(() => fresh.caches.pages).toThrow(/"pages".*"default"/);
  });
});

describe('aliases', () => {
  test('that are configured are in the caches, and make no backend by being asked for', () => {
    const own = createCaches({ default: {}, other: { backend: './nowhere.js' } });
    expect('other' in own).toBe(true);
    expect('pages' in own).toBe(false);
    expect('toString' in own).toBe(false);
    expect('closeAll' in own).toBe(true);
    expect(own.all({ initializedOnly: true })).toEqual([]);
  });

  test('give the same instance every time, to all who ask at once (CFG-02, CONV-09, ISO-01)', async () => {
    const own = createCaches({ default: {}, other: { backend: 'dummy' } });
    expect(own.default).toBe(own.default);
    expect(own.other).not.toBe(own.default);
    const asked = await Promise.all(
      Array.from({ length: 5 }, async () => {
        await settled();
        return own.other;
      }),
    );
    for (const backend of asked) expect(backend).toBe(own.other);
  });

  test('keep their entries right under interleaved work (CONV-09, ISO-01)', async () => {
    const own = createCaches({ default: { location: 'interleaved' } });
    const work = async (name: string) => {
      for (let i = 0; i < 50; i++) {
        await own.default.set(`${name}${i}`, name);
        await own.default.incr('count');
        expect(await own.default.get(`${name}${i}`)).toBe(name);
      }
    };
    await own.default.set('count', 0);
    await Promise.all(['a', 'b', 'c', 'd'].map(work));
    expect(await own.default.get('count')).toBe(200);
  });

  test('that are unknown are an error with the alias and the known ones (CFG-03)', () => {
    const own = createCaches({ default: {}, pages: {} }) as unknown as Record<string, unknown>;
    const ask = () => own.pagse;
    expect(ask).toThrow(InvalidCacheBackendError);
    expect(ask).toThrow(/"pagse".*"default", "pages"/);
    try {
      ask();
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_CACHE_BACKEND', alias: 'pagse' });
    }
  });

  test('are own names only (CFG-03)', () => {
    const own = createCaches({ default: {} }) as unknown as Record<string, unknown>;
    expect(() => own.hasOwnProperty).toThrow(InvalidCacheBackendError);
    expect(() => own.toString).toThrow(InvalidCacheBackendError);
  });

  test('must have default among them (CHK-01)', () => {
    const settings = { pages: {} } as Record<string, CacheSettings>;
    expect(() => createCaches(settings)).toThrow(InvalidCacheBackendError);
    expect(() => createCaches(settings)).toThrow('"default"');
    expect(() => configureCaches(settings)).toThrow(InvalidCacheBackendError);
  });

  test.each(['all', 'closeAll', 'then', 'toJSON', 'constructor', '__proto__'])(
    'must not be called %s',
    (alias) => {
      const settings = JSON.parse(`{ "default": {}, "${alias}": {} }`);
      expect(() => createCaches(settings)).toThrow(InvalidCacheBackendError);
      expect(() => createCaches(settings)).toThrow(`"${alias}"`);
    },
  );

  test('can be returned from an async function, as the registry is no promise', async () => {
    const own = createCaches({ default: {} });
    expect(await own).toBe(own);
  });
});

describe('all()', () => {
  test('makes and returns every alias (CFG-06)', () => {
    const own = createCaches({ cache1: {}, default: {}, cache2: { backend: 'dummy' } });
    expect(own.all()).toEqual([own.cache1, own.default, own.cache2]);
    expect(own.all()[0]).toBe(own.cache1);
  });

  test('with initializedOnly returns those that were used (CFG-06)', () => {
    let made = 0;
    class Counted extends DummyCache {
      constructor(location: unknown) {
        super(location);
        made += 1;
      }
    }
    const own = createCaches({
      default: { backend: Counted },
      cache1: { backend: Counted },
      cache2: { backend: Counted },
    });
    expect(own.all({ initializedOnly: true })).toEqual([]);
    const first = own.cache1;
    expect(own.all({ initializedOnly: true })).toEqual([first]);
    const second = own.cache2;
    expect(own.all({ initializedOnly: true })).toEqual([first, second]);
    expect(made).toBe(2);
    expect(own.all()).toHaveLength(3);
    expect(own.all({ initializedOnly: true })).toHaveLength(3);
  });
});

describe('backends', () => {
  test.each([
    ['locmem', LocMemCache],
    ['dummy', DummyCache],
  ])('may be named: %s (CFG-07)', (backend, Class) => {
    const own = createCaches({ default: { backend } as CacheSettings });
    expect(own.default).toBeInstanceOf(Class);
  });

  test('may be files in a directory (CFG-07)', async () => {
    const location = makeDirectory();
    const own = createCaches({ default: { backend: 'file', location } });
    expect(own.default).toBeInstanceOf(FileBasedCache);
    await own.default.set('key', 'value');
    expect(await new FileBasedCache(location).get('key')).toBe('value');
  });

  test('may be a class, which gets the location and all other settings (CFG-07)', () => {
    class Told extends DummyCache {
      constructor(
        readonly location: unknown,
        readonly params: object,
      ) {
        super(location, params);
      }
    }
    const own = createCaches({
      default: { backend: Told },
      named: { backend: Told, location: { any: 'thing' }, timeout: 5, options: { a: 1 } },
    });
    expect(own.default.location).toBe('');
    expect(own.default.params).toEqual({});
    expect(own.named.location).toEqual({ any: 'thing' });
    expect(own.named.params).toEqual({ timeout: 5, options: { a: 1 } });
    expect(own.named.defaultTimeout).toBe(5);
  });

  test('may be the path of a class that extends a built-in one (CFG-07, CUST-01)', async () => {
    const own = createCaches({
      default: { backend: './test/fixtures/logged-cache#LoggedCache', location: 'by path' },
    });
    expect(own.default).toBeInstanceOf(LoggedCache);
    expect(own.default).toBeInstanceOf(LocMemCache);
    await own.default.set('key', 'value');
    expect(await own.default.get('key')).toBe('value');
  });

  test.each([
    ['reddis', 'redis'],
    ['memory', 'locmem'],
    ['Memcache', 'memcached'],
    ['postgres', 'database'],
    ['filesystem', 'file'],
    ['django.core.cache.backends.redis.RedisCache', 'redis'],
    ['django.core.cache.backends.filebased.FileBasedCache', 'file'],
  ])('that have a name of another package are told ours: %s (D12)', (backend, meant) => {
    const own = createCaches({ default: { backend } });
    expect(() => own.default).toThrow(InvalidCacheBackendError);
    expect(() => own.default).toThrow(`Did you mean '${meant}'?`);
  });

  test('whose package is missing say what to install, and blame no setting (D12)', () => {
    class Missing extends DummyCache {
      constructor() {
        super();
        throw new Error('Missing needs the package gone. Install it: npm install gone');
      }
    }
    const own = createCaches({ default: { backend: Missing } });
    expect(() => own.default).toThrow(
      'Cache alias "default": Missing needs the package gone. Install it: npm install gone',
    );
  });

  test('of a local tier need a location (D12)', () => {
    const own = createCaches({ default: { backend: 'tiered' } as never });
    expect(() => own.default).toThrow(/Cache alias "default" has no location\. Give the alias/);
  });

  test('that cannot be loaded are an error once the alias is used (CFG-04)', () => {
    const own = createCaches({ default: {}, broken: { backend: './no/such/backend' } });
    expect(own.default).toBeInstanceOf(LocMemCache);
    try {
      void own.broken;
      throw new Error('not refused');
    } catch (error) {
      expect(error).toMatchObject({
        name: 'InvalidCacheBackendError',
        code: 'ERR_CACHE_BACKEND',
        alias: 'broken',
        cause: expect.anything(),
      });
      const { message, cause } = error as Error & { cause: Error };
      expect(message).toContain('"./no/such/backend"');
      expect(message).toContain(cause.message);
    }
  });

  test('that are no class are an error once the alias is used (CFG-04)', () => {
    const own = createCaches({ default: { backend: 'node:path#sep' } });
    expect(() => own.default).toThrow(/"default".*"node:path#sep".*class/);
  });

  test.each<[string, CacheSettings]>([
    ['timeout', { timeout: 'soon' }],
    ['maxEntries', { options: { maxEntries: 'many' } }],
    ['serializer', { options: { serializer: 'pickle' as 'json' } }],
    ['location', { backend: 'file', location: '' }],
  ])('refuse a senseless %s, with the alias (CFG-11)', (setting, settings) => {
    const own = createCaches({ default: {}, odd: settings });
    expect(() => own.odd).toThrow(InvalidCacheBackendError);
    expect(() => own.odd).toThrow(/"odd"/);
    expect(() => own.odd).toThrow(setting);
  });

  test('are not tried again with a mistake half made', () => {
    let tries = 0;
    class Moody extends DummyCache {
      constructor() {
        super();
        if (++tries === 1) throw new Error('not today');
      }
    }
    const own = createCaches({ default: { backend: Moody } });
    expect(() => own.default).toThrow('not today');
    expect(own.all({ initializedOnly: true })).toEqual([]);
    expect(own.default).toBeInstanceOf(Moody);
  });

  test('take a key function by its path as well (CFG-13)', async () => {
    const own = createCaches({
      default: { location: 'keys', keyFunction: reversedKey },
      byPath: { location: 'keys', keyFunction: './test/fixtures/reversed-key' },
      plain: { location: 'keys' },
    });
    await own.default.set('key', 'value');
    expect(await own.byPath.get('key')).toBe('value');
    expect(await own.plain.get('key')).toBeUndefined();
  });
});

describe('settings that nobody would read are an error as they are configured (D12)', () => {
  test.each<[settings: unknown, message: string]>([
    [{ timout: 5 }, 'got the unknown setting "timout". Did you mean timeout?'],
    [{ timeout: 5, timout: 5 }, 'Did you mean timeout?'],
    [{ ttl: 5 }, 'Did you mean timeout?'],
    [{ BACKEND: 'redis', LOCATION: 'redis://127.0.0.1:1' }, '"BACKEND". Did you mean backend?'],
    [{ TIMEOUT: 5 }, 'Did you mean timeout?'],
    [{ KEY_PREFIX: 'x' }, 'Did you mean keyPrefix?'],
    [{ key_prefix: 'x' }, 'Did you mean keyPrefix?'],
    [{ OPTIONS: {} }, 'Did you mean options?'],
    [{ maxEntries: 5 }, 'Did you mean options: { maxEntries }?'],
    [{ backend: 'redis', url: 'redis://a' }, '"url". Did you mean location?'],
    [{ wholly: 'other' }, '"wholly". Known options: backend, location, timeout'],
    [{ options: { MAX_ENTRIES: 5 } }, 'in options, got the unknown option "MAX_ENTRIES". Did you'],
    [{ options: { max: 5 } }, 'Did you mean maxEntries?'],
    [{ options: { maxEntires: 5 } }, 'Did you mean maxEntries?'],
    [{ options: 5 }, 'in options, got 5. Give an object'],
    [{ backend: LocMemCache, options: { max: 5 } }, 'Did you mean maxEntries?'],
    [{ backend: 'file', location: '/a', options: { maxBytes: 5 } }, 'unknown option "maxBytes"'],
    [{ backend: 'database', location: 't', options: { databse: 'x' } }, 'Did you mean database?'],
    [{ backend: 'redis', options: { MAX_ENTRIES: 5 } }, 'Did you mean maxEntries?'],
    [{ backend: 'memcached', options: { ignore_exc: true } }, 'Did you mean ignoreExc?'],
    [{ backend: 'tiered', location: 'x', options: { maxByte: 5 } }, 'Did you mean maxBytes?'],
    [{ backend: 'tiered', location: { backend: 'redis', ttl: 5 } }, 'Did you mean timeout?'],
    [{ backend: DummyCache, KEY_PREFIX: 'x' }, 'Did you mean keyPrefix?'],
    [{ backend: class extends DummyCache {}, KEY_PREFIX: 'x' }, 'Did you mean keyPrefix?'],
    [{ backend: './own.js', Timeout: 5 }, 'Did you mean timeout?'],
    [null, 'Cache alias "odd" is null. Give an object of settings'],
    [[], 'Cache alias "odd" is []. Give an object of settings'],
    [
      'redis://cache:6379',
      'Give an object of settings: { backend: \'redis\', location: "redis://cache:6379" }.',
    ],
  ])('%j', (settings, message) => {
    const make = () => createCaches({ default: {}, odd: settings } as never);
    expect(make).toThrow(InvalidCacheBackendError);
    expect(make).toThrow(message);
    expect(make).toThrow('Cache alias "odd"');
  });

  test.each([null, 'redis://cache', []])('%j in place of all of them', (settings) => {
    expect(() => createCaches(settings as never)).toThrow(/The settings (?:are|have no alias)/);
  });

  test('but for those of a client, and of a class of the site', () => {
    class Own extends DummyCache {}
    const make = () =>
      createCaches({
        default: { backend: Own, region: 'eu', options: { MAX_ENTRIES: 5 } },
        redis: { backend: 'redis', location: 'redis://127.0.0.1:1', options: { dnsLookup: 5 } },
        memcached: { backend: 'memcached', location: '127.0.0.1', options: { retries: 1 } },
        dummy: { backend: 'dummy', options: { anything: 1 } },
      } as never);
    expect(make).not.toThrow();
  });
});

describe('configureCaches()', () => {
  afterEach(() => configureCaches({ default: {} }));

  test('returns the caches of the process, which are forgotten by the next call', () => {
    const configured = configureCaches({ default: {}, pages: { location: 'pages' } });
    const before = caches.pages;
    expect(configured.pages).toBe(before);
    configureCaches({ default: {}, pages: { location: 'pages' } });
    expect(caches.pages).not.toBe(before);
    configureCaches({ default: {} });
    expect(() => caches.pages).toThrow(InvalidCacheBackendError);
  });

  test('takes a copy of the settings', () => {
    const settings: Record<string, CacheSettings> = { default: {} };
    configureCaches(settings);
    settings.late = {};
    expect(() => caches.late).toThrow(InvalidCacheBackendError);
  });

  test('leaves all as it was if it throws', () => {
    configureCaches({ default: {}, pages: {} });
    const { pages } = caches;
    expect(() => configureCaches({} as never)).toThrow(InvalidCacheBackendError);
    expect(caches.pages).toBe(pages);
  });

  test('has nothing to do with createCaches()', async () => {
    configureCaches({ default: { location: 'of the process' } });
    const own = createCaches({ default: { location: 'apart' } });
    expect(own.default).not.toBe(caches.default);
    await own.default.set('key', 'value');
    expect(await cache.get('key')).toBeUndefined();
  });
});

describe('cache', () => {
  afterEach(() => configureCaches({ default: {} }));

  test('is caches.default, also after another configuration (CFG-05)', async () => {
    configureCaches({ default: { location: 'first', timeout: 10 } });
    await cache.set('key', 'first');
    expect(await caches.default.get('key')).toBe('first');
    expect(cache.defaultTimeout).toBe(10);
    const { get } = cache;
    expect(await get('key')).toBe('first');
    configureCaches({ default: { location: 'second', timeout: 20 } });
    expect(await cache.get('key')).toBeUndefined();
    expect(cache.defaultTimeout).toBe(20);
    await cache.set('key', 'second');
    expect(await caches.default.get('key')).toBe('second');
  });

  test('hands on what is written to it (CFG-05)', () => {
    (cache as { defaultTimeout: number | null }).defaultTimeout = 7;
    expect(caches.default.defaultTimeout).toBe(7);
    const marked = cache as BaseCache & { mark?: string };
    marked.mark = 'of the first';
    expect((caches.default as typeof marked).mark).toBe('of the first');
    expect('mark' in cache).toBe(true);
    configureCaches({ default: {} });
    expect(marked.mark).toBeUndefined();
    expect('mark' in cache).toBe(false);
  });

  test('is an instance of the backend it stands for (CFG-05)', () => {
    expect(cache).toBeInstanceOf(LocMemCache);
    configureCaches({ default: { backend: 'dummy' } });
    expect(cache).toBeInstanceOf(DummyCache);
    expect(cache).toBeInstanceOf(BaseCache);
  });
});

describe('closeAll()', () => {
  test('closes each backend that was used, and no other (SIG-01, CUST-01)', async () => {
    const own = createCaches({
      default: { backend: LoggedCache },
      used: { backend: LoggedCache },
      unused: { backend: LoggedCache },
    });
    await own.closeAll();
    expect(own.all({ initializedOnly: true })).toEqual([]);
    await own.used.set('key', 'value');
    await own.closeAll();
    expect(own.used.closed).toBe(1);
    expect(own.all({ initializedOnly: true })).toEqual([own.used]);
    expect(await own.used.get('key')).toBe('value');
    await own.closeAll();
    expect(own.used.closed).toBe(2);
    expect(own.default.closed).toBe(0);
    expect(own.unused.closed).toBe(0);
  });

  test('closes the others even if one fails, and tells (SIG-01)', async () => {
    class Failing extends DummyCache {
      override async close() {
        throw new Error(`${this.keyPrefix} failed`);
      }
    }
    class Throwing extends DummyCache {
      override close(): Promise<void> {
        throw new Error('thrown');
      }
    }
    const own = createCaches({
      default: { backend: Throwing },
      failing: { backend: Failing, keyPrefix: 'it' },
      good: { backend: LoggedCache },
    });
    void own.failing;
    void own.good;
    await expect(own.closeAll()).rejects.toThrow('it failed');
    expect(own.good.closed).toBe(1);
    void own.default;
    await expect(own.closeAll()).rejects.toMatchObject({
      errors: [{ message: 'it failed' }, { message: 'thrown' }],
    });
    expect(own.good.closed).toBe(2);
  });
});

describe('errors', () => {
  test.each([
    [new InvalidCacheBackendError('m'), 'InvalidCacheBackendError', 'ERR_CACHE_BACKEND', Error],
    [new InvalidCacheKeyError('m', 'k'), 'InvalidCacheKeyError', 'ERR_CACHE_KEY', Error],
    [
      new CacheKeyNotFoundError('k', 'incr'),
      'CacheKeyNotFoundError',
      'ERR_CACHE_KEY_NOT_FOUND',
      Error,
    ],
    [new CacheValueError('m', 'k'), 'CacheValueError', 'ERR_CACHE_VALUE', TypeError],
    [
      new CacheMethodNotImplementedError('get', 'MyCache'),
      'CacheMethodNotImplementedError',
      'ERR_CACHE_NOT_IMPLEMENTED',
      Error,
    ],
    [new CacheKeyWarning('m'), 'CacheKeyWarning', 'CACHEWRIGHT_KEY', Error],
  ])('%s has a name, a code and a kind that stay (CONV-05, CONV-06)', (error, name, code, kind) => {
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ name, code });
  });
});

describe('a relative directory of files', () => {
  const warnings = catchWarnings();

  test('is warned of when its alias is first used (CHK-03)', () => {
    const own = createCaches({
      default: {},
      relative: { backend: 'file', location: './some/cache' },
      absolute: { backend: 'file', location: '/some/cache' },
    });
    void own.absolute;
    expect(warnings).toEqual([]);
    void own.relative;
    void own.relative;
    expect(warnings).toEqual([
      expect.objectContaining({
        name: 'CacheLocationWarning',
        code: 'CACHEWRIGHT_RELATIVE_LOCATION',
      }),
    ]);
  });
});
