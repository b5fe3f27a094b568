import {
  cacheApp,
  cachePage,
  caches,
  configureCaches,
  configurePageCache,
  fetchFromCache,
  getCacheKey,
  LocMemCache,
  learnCacheKey,
  updateCache,
} from 'cachewright';
import {
  type PageCacheOptions,
  type PageSettings,
  settingsFor,
} from '../../src/page-cache/page-settings';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
import { catchWarnings } from '../support/process-warnings';
import { settled } from '../support/settled';
import { STACKS } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches({
  default: { backend: ByteCache, location: 'settings-default' },
  other: { backend: ByteCache, location: 'settings-other' },
});
const clock = stopClock();

/** Keys in the store of an alias, without the alias's own prefix and version. */
function keysIn(alias: string): string[] {
  return [...(caches[alias] as ByteCache).entries.keys()].map((key) => key.replace(/^:1:/, ''));
}

const prefixOf = (key: string | undefined) =>
  /^views\.[a-z.]+_page\.(.*)\.GET\./.exec(key ?? '')?.[1];

describe('middleware without options', () => {
  test('uses the alias default, no prefix, and 600 seconds (CFG-14)', async () => {
    const { app } = pageApp();
    await visit(app, '/page').expect('Cache-Control', 'max-age=600');
    await settled();
    expect(keysIn('default').map(prefixOf)).toEqual(['']);
    clock.advance(599);
    await visit(app, '/page').expect('page 1');
    clock.advance(1);
    await visit(app, '/page').expect('page 2');
  });

  test('uses what is configured, and has no timeout of the page (PAGE-50)', async () => {
    configurePageCache({ cache: 'other', keyPrefix: 'site', seconds: 30 });
    const { app } = pageApp((res, call) => {
      if (call === 2) res.setHeader('Cache-Control', 'max-age=90');
      res.end(`page ${call}`);
    });
    await visit(app, '/page').expect('Cache-Control', 'max-age=30');
    await settled();
    expect(keysIn('default')).toEqual([]);
    expect(keysIn('other').map(prefixOf)).toEqual(['site']);
    clock.advance(30);
    await visit(app, '/page').expect('page 2').expect('Cache-Control', 'max-age=90');
  });

  test('uses what is configured later too, and the defaults for what is left out (PAGE-50)', async () => {
    const { app } = pageApp();
    configurePageCache({ keyPrefix: 'a', seconds: 5 });
    await visit(app, '/page').expect('Cache-Control', 'max-age=5');
    configurePageCache({ keyPrefix: 'b' });
    await visit(app, '/page').expect('page 2').expect('Cache-Control', 'max-age=600');
    await settled();
    expect(keysIn('default').map(prefixOf)).toEqual(['a', 'b']);
  });
});

test('options for visitors and for what is stored become settings (D12)', () => {
  const settings = (options: PageCacheOptions): PageSettings => settingsFor(options)();
  expect(settings({})).toMatchObject({
    browserSeconds: undefined,
    skip: undefined,
    storeIf: undefined,
    headers: undefined,
    state: { ignore: new Set(), only: undefined, from: undefined },
  });
  const skip = () => true;
  const storeIf = () => false;
  configurePageCache({ browserSeconds: 0, skip, storeIf, perRequestFields: ['X-Own'] });
  expect(settings({})).toMatchObject({ browserSeconds: 0, skip, storeIf });
  expect(settings({}).perRequestFields).toContain('x-own');
  expect(settings({ browserSeconds: 5 }).browserSeconds).toBe(5);
  const fields = settings({ perRequestFields: ['X-Build', 'Retry-After'] }).perRequestFields;
  for (const name of [
    'x-build',
    'retry-after',
    'x-request-id',
    'ratelimit-policy',
    'traceparent',
  ]) {
    expect(fields).toContain(name);
  }
  expect(fields).not.toContain('x-own');
  expect(settings({ key: { headers: ['Cookie', 'ACCEPT'] } }).headers).toEqual(
    new Set(['cookie', 'accept']),
  );
  const state = { ignore: ['locals.appName'], only: ['req.user', 'user'], from: ['Cookie'] };
  expect(settings({ key: { state } }).state).toEqual({
    ignore: new Set(state.ignore),
    only: new Set(state.only),
    from: ['cookie'],
  });
});

test.each<[unknown, RegExp]>([
  [[], /^cacheApp\(\) got \[\] for its options/],
  [{ before: () => {} }, /^cacheApp\(\{ before \}\) got .*Give an array of middleware/],
  [{ before: ['morgan'] }, /^cacheApp\(\{ before \}\) got \["morgan"\]/],
])('cacheApp(app, %j) is refused when made (D12)', (options, message) => {
  expect(() => cacheApp(() => {}, options as never)).toThrow(TypeError);
  expect(() => cacheApp(() => {}, options as never)).toThrow(message);
});

test('cacheApp() alone has the option before (D12)', () => {
  expect(() => cacheApp(() => {}, { before: [(_req, _res, next) => next()] })).not.toThrow();
  expect(() => updateCache({ before: [] } as never)).toThrow(/unknown option "before"/);
});

describe('an unknown option is refused when the middleware is made (D12)', () => {
  test.each<[options: object, message: string]>([
    [{ ttl: 5 }, '() got the unknown option "ttl". Did you mean seconds?'],
    [{ second: 5 }, 'Did you mean seconds?'],
    [{ secs: 5 }, 'Did you mean seconds?'],
    [{ CACHE_MIDDLEWARE_SECONDS: 5 }, 'Did you mean seconds?'],
    [{ CACHE_MIDDLEWARE_ALIAS: 'pages' }, 'Did you mean cache?'],
    [{ CACHE_MIDDLEWARE_KEY_PREFIX: 'x' }, 'Did you mean keyPrefix?'],
    [{ key_prefix: 'x' }, 'Did you mean keyPrefix?'],
    [{ KEY_PREFIX: 'x' }, 'Did you mean keyPrefix?'],
    [{ keyprefix: undefined }, 'Did you mean keyPrefix?'],
    [{ cookies: ['lang'] }, 'Did you mean key: { cookies }?'],
    [{ query: { only: ['id'] } }, 'Did you mean key: { query }?'],
    [{ wholly: 'other' }, 'unknown option "wholly". Known options: cache, seconds, '],
    [{ constructor: 1 }, 'unknown option "constructor". Known options: '],
    [
      { key: { cookie: ['a'] } },
      '({ key }) got the unknown option "cookie". Did you mean cookies?',
    ],
    [
      { key: { query: { ignored: ['a'] } } },
      '({ key: { query } }) got the unknown option "ignored". Did you mean ignore?',
    ],
    [{ key: { normalize: { language: ['en'] } } }, 'key: { normalize } }) got the unknown option'],
    [{ key: { state: { form: ['cookie'] } } }, 'Did you mean from?'],
  ])('%j', async (options, message) => {
    const makers = [
      () => updateCache(options),
      () => fetchFromCache(options),
      () => cachePage(60, options),
      () => cacheApp(() => {}, options),
      () => configurePageCache(options),
    ];
    for (const make of makers) {
      expect(make).toThrow(TypeError);
      expect(make).toThrow(message);
    }
    const req = { url: '/', headers: { host: 'a' }, socket: {} } as never;
    await expect(getCacheKey(req, options)).rejects.toThrow(message);
    await expect(learnCacheKey(req, { getHeader() {} } as never, options)).rejects.toThrow(message);
  });
});

describe('options', () => {
  test('go before what is configured (PAGE-50)', async () => {
    configurePageCache({ cache: 'default', keyPrefix: 'site', seconds: 30 });
    const { app } = pageApp(undefined, {
      options: { cache: 'other', keyPrefix: 'own', seconds: 7 },
    });
    await visit(app, '/page').expect('Cache-Control', 'max-age=7');
    await settled();
    expect(keysIn('default')).toEqual([]);
    expect(keysIn('other').map(prefixOf)).toEqual(['own']);
  });

  test("null for alias and prefix mean 'default' and '', seconds stay as configured (PAGE-51)", async () => {
    configurePageCache({ cache: 'other', keyPrefix: 'site', seconds: 30 });
    const { app } = pageApp(undefined, { options: { cache: null, keyPrefix: null } });
    await visit(app, '/page').expect('Cache-Control', 'max-age=30');
    await settled();
    expect(keysIn('other')).toEqual([]);
    expect(keysIn('default').map(prefixOf)).toEqual(['']);
  });

  test('of updateCache() hold for fetchFromCache(), unless it has its own', async () => {
    const origin = makeOrigin();
    const app = STACKS['Express 5']!([
      updateCache({ cache: 'other', seconds: 7 }),
      fetchFromCache({ keyPrefix: 'own' }),
      origin.handle,
    ]);
    await visit(app, '/page').expect('Cache-Control', 'max-age=600');
    await settled();
    expect(keysIn('other')).toEqual([]);
    expect(keysIn('default').map(prefixOf)).toEqual(['own']);
    await visit(app, '/page').expect('page 1');
  });

  test('may hold a backend in place of an alias', async () => {
    const own = new LocMemCache('settings-own');
    await own.clear();
    const { app, origin } = pageApp(undefined, { options: { cache: own } });
    await visit(app, '/page').expect('page 1');
    await visit(app, '/page').expect('page 1');
    expect(origin.calls).toBe(1);
    expect(keysIn('default')).toEqual([]);
    await own.clear();
    await visit(app, '/page').expect('page 2');
  });

  test.each([
    [{ seconds: Number.NaN }, /seconds/],
    [{ seconds: '60' }, /seconds/],
    [{ maxBytes: 0 }, /maxBytes/],
    [{ maxBytes: Number.NaN }, /maxBytes/],
    [{ keyPrefix: 7 }, /keyPrefix/],
    [{ cache: 7 }, /cache/],
    [{ cache: {} }, /cache/],
    [{ key: { hosts: 'example.com' } }, /hosts/],
    [{ language: 'de' }, /language/],
    [{ timeZone: 'UTC' }, /timeZone/],
    [{ onError: true }, /onError/],
    [{ skip: true }, /skip/],
    [{ storeIf: 'always' }, /storeIf/],
    [{ browserSeconds: 1.5 }, /browserSeconds/],
    [{ browserSeconds: -1 }, /browserSeconds/],
    [{ browserSeconds: null }, /browserSeconds/],
    [{ perRequestFields: 'x-id' }, /perRequestFields/],
    [{ perRequestFields: ['x id'] }, /perRequestFields/],
    [{ varyOnRead: 'cookie' }, /varyOnRead/],
    [{ varyOnRead: [5] }, /varyOnRead/],
    [{ patchHeaders: 'no' }, /patchHeaders/],
    [{ storeCookies: 1 }, /storeCookies/],
    [{ key: null }, /key/],
    [{ key: ['cookie'] }, /key/],
    [{ key: { headers: 'cookie' } }, /key: \{ headers \}/],
    [{ key: { headers: ['a b'] } }, /key: \{ headers \}/],
    [{ key: { hosts: [5] } }, /key: \{ hosts \}/],
    [{ key: { query: ['a'] } }, /key: \{ query \}/],
    [{ key: { query: { ignore: 'trackers' } } }, /query: \{ ignore \} .*'tracking'/],
    [{ key: { query: { sort: 'yes' } } }, /query: \{ sort \}/],
    [{ key: { state: 'user' } }, /key: \{ state \}/],
    [{ key: { state: { ignore: 'locals.appName' } } }, /state: \{ ignore \}/],
    [{ key: { state: { only: [''] } } }, /state: \{ only \}/],
    [{ key: { state: { ignore: ['locals.'] } } }, /state: \{ ignore \}/],
    [{ key: { state: { from: ['my cookie'] } } }, /state: \{ from \}/],
  ])('%p are refused when the middleware is made, naming the option', (options, name) => {
    const makers = [
      () => updateCache(options as never),
      () => fetchFromCache(options as never),
      () => cachePage(60, options as never),
      () => configurePageCache(options as never),
    ];
    for (const make of makers) {
      expect(make).toThrow(TypeError);
      expect(make).toThrow(name);
    }
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, '60', undefined])(
    'cachePage(%p) is refused when made',
    (seconds) => expect(() => cachePage(seconds as never)).toThrow(/cachePage\(\)/),
  );
});

describe('a key prefix with a blank', () => {
  const warnings = catchWarnings();

  test('is warned of, and floods no log', async () => {
    const { app, origin } = pageApp((res, _call, req) => res.end(req.headers['accept-language']), {
      options: { keyPrefix: 'my shop', cache: new LocMemCache('blank prefix') },
    });
    for (let i = 0; i < 20; i += 1) {
      await visit(app, `/${i % 2}`).set('Accept-Language', `x${i}`);
      await visit(app, `/${i % 2}`).set('Accept-Language', `x${i}`);
    }
    expect(origin.calls).toBe(20);
    const { length } = warnings;
    expect(warnings[0]).toMatchObject({ code: 'CACHEWRIGHT_KEY' });
    expect(length).toBeLessThanOrEqual(3);
  });
});

test('the alias is looked up at each use (PAGE-52)', async () => {
  const { app } = pageApp(undefined, { options: { cache: 'other' } });
  await visit(app, '/page').expect('page 1');
  await settled();
  await visit(app, '/page').expect('page 1');
  configureCaches({ default: {}, other: { backend: ByteCache, location: 'settings-another' } });
  await visit(app, '/page').expect('page 2');
  await settled();
  await visit(app, '/page').expect('page 2');
});

test('an alias may be configured after the middleware was made (PAGE-52)', async () => {
  const { app, origin } = pageApp(undefined, { options: { cache: 'pages' } });
  const { pages } = configureCaches({ default: {}, pages: { location: 'settings-pages' } });
  await pages.clear();
  await visit(app, '/page').expect('page 1');
  await visit(app, '/page').expect('page 1');
  expect(origin.calls).toBe(1);
});
