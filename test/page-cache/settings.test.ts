import {
  cachePage,
  caches,
  configureCaches,
  configurePageCache,
  fetchFromCache,
  LocMemCache,
  updateCache,
} from 'cachewright';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { pageApp } from '../support/page-app';
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
