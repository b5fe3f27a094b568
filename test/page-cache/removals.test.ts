import { caches, configureCaches, getCacheKey, LocMemCache } from 'cachewright';
import { isOfRemoval, nameOfRemoval } from '../../src/cache/tag-names';
import { pageKeyFor, variantKey } from '../../src/page-cache/request-key';
import { stopClock } from '../support/clock';
import { deferred } from '../support/deferred';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

const clock = stopClock();

/** Local memory in which something happens at a moment that is told. */
class Eventful extends LocMemCache {
  /** Between the check that a page was not purged, and its being stored. */
  static confirmed: (() => void) | undefined;
  /** Between a look at a page's vary list, and its being written. */
  static opened: (() => void) | undefined;

  constructor(...args: ConstructorParameters<typeof LocMemCache>) {
    super(...args);
    const { tags } = this;
    const confirm = tags.confirm.bind(tags);
    tags.confirm = (...asked) => {
      const counters = confirm(...asked);
      Eventful.confirmed?.();
      return counters;
    };
  }

  override openFrozen(...args: Parameters<LocMemCache['openFrozen']>) {
    const place = super.openFrozen(...args);
    if (args[2]) Eventful.opened?.();
    return place;
  }
}

let stores = 0;
beforeEach(() => {
  stores += 1;
  configureCaches({ default: { backend: Eventful, location: `removals-${stores}` } });
});
afterEach(() => {
  Eventful.confirmed = undefined;
  Eventful.opened = undefined;
});

const keyOf = async (headers: Record<string, string> = {}) =>
  (await getCacheKey({
    url: '/page',
    headers: { host: 'www.example.com', ...headers },
    socket: {},
  } as never))!;

test('a page that is deleted after the check, but before it is stored, is not stored', async () => {
  const { app } = pageApp(undefined, { options: { seconds: 30 } });
  await visit(app, '/page').expect('page 1');
  const key = await keyOf();
  clock.advance(31);
  Eventful.confirmed = () => {
    Eventful.confirmed = undefined;
    void caches.default.delete(key);
  };
  await visit(app, '/page').expect('page 2');
  await settled();
  expect(Eventful.confirmed).toBeUndefined();
  await visit(app, '/page').expect('page 3');
  await settled();
  await visit(app, '/page').expect('page 3');
});

test('a page beside the list of its headers does not come back as that is renewed', async () => {
  const { app } = pageApp((res, call) => {
    res.setHeader('Vary', 'X-Lang');
    res.end(`page ${call}`);
  });
  await visit(app, '/page').expect('page 1');
  await settled();
  const key = await keyOf();
  clock.advance(10);
  Eventful.opened = () => {
    Eventful.opened = undefined;
    void caches.default.delete(key);
  };
  await visit(app, '/page').set('X-Lang', 'de').expect('page 2');
  await settled();
  expect(Eventful.opened).toBeUndefined();
  await visit(app, '/page').expect('page 3');
});

test('a variant does not come back as its list is kept, after that was deleted', async () => {
  /** As with servers, to delete the list leaves the place of a variant as it is. */
  class Apart extends Eventful {
    override setFrozen(...[key, value, timeout]: Parameters<LocMemCache['setFrozen']>) {
      return super.setFrozen(key, value, timeout);
    }
  }
  configureCaches({ default: { backend: Apart, location: `apart-${stores}` } });
  const { app } = pageApp((res, call) => {
    res.setHeader('Vary', 'X-Lang');
    res.end(`page ${call}`);
  });
  await visit(app, '/page').expect('page 1');
  await settled();
  const key = await keyOf();
  clock.advance(10);
  Eventful.opened = () => {
    Eventful.opened = undefined;
    void caches.default.delete(key);
  };
  await visit(app, '/page').set('X-Lang', 'de').expect('page 2');
  await settled();
  expect(Eventful.opened).toBeUndefined();
  await visit(app, '/page').set('X-Lang', 'de').expect('page 3');
  await settled();
  await visit(app, '/page').set('X-Lang', 'de').expect('page 3');
});

test('who waits for a render, and came after its page was deleted, is not given it', async () => {
  const gate = deferred();
  const { app, origin } = pageApp(
    async (res, call) => {
      if (call === 2) await gate.promise;
      res.end(`page ${call}`);
    },
    { options: { seconds: 30 } },
  );
  await visit(app, '/page').expect('page 1');
  const key = await keyOf();
  clock.advance(31);
  const first = visit(app, '/page').then(({ text }) => text);
  while (origin.calls < 2) await settled();
  await caches.default.delete(key);
  const later = visit(app, '/page').then(({ text }) => text);
  await settled();
  gate.resolve();
  expect(await first).toBe('page 2');
  expect(await later).toBe('page 3');
});

test('that the oldest of many variants gives way disturbs no render', async () => {
  const { app, origin } = pageApp(
    (res, call) => {
      res.setHeader('Vary', 'X-Lang');
      res.end(`page ${call}`);
    },
    { options: { maxVariants: 2 } },
  );
  for (const lang of ['de', 'en', 'fr', 'es']) {
    await visit(app, '/page').set('X-Lang', lang);
    await settled();
  }
  await visit(app, '/page').set('X-Lang', 'fr').expect('page 3');
  await visit(app, '/page').set('X-Lang', 'es').expect('page 4');
  expect(origin.calls).toBe(4);
});

test('entries that are no pages are deleted without a word to anybody', async () => {
  const advance = jest.spyOn(caches.default.tags.store, 'advance');
  await caches.default.delete('views.decorators.cache.cache_page.');
  await caches.default.deleteMany(['product:42', 'views.decorators.cache.cache_header.x']);
  expect(advance).not.toHaveBeenCalled();
});

describe('the counter of removals', () => {
  const settings = (keyPrefix: string) => ({
    keyPrefix,
    language: () => 'de',
    timeZone: undefined,
    segment: undefined,
  });
  const nameOf = (url: string, method: 'GET' | 'HEAD', keyPrefix = '', variant = '') => {
    const key = pageKeyFor({} as never, url, method, settings(keyPrefix) as never);
    return nameOfRemoval(variantKey(key, variant));
  };

  test('is the same for all variants and methods of a URL, and of few others', () => {
    const name = nameOf('http://a.example/1', 'GET');
    expect(isOfRemoval(name!)).toBe(true);
    expect(nameOf('http://a.example/1', 'HEAD', 'site.GET.1', '6:x-lang2:de')).toBe(name);
    const others = new Set(
      Array.from({ length: 1000 }, (_, i) => nameOf(`http://a.example/of/${i}`, 'GET')),
    );
    expect(others.size).toBeGreaterThan(500);
    expect(others.size).toBeLessThanOrEqual(1024);
  });

  test('is found behind a prefix that looks like the rest of a key', () => {
    const digest = 'd41d8cd98f00b204e9800998ecf8427e';
    const prefix = `a.GET.${digest}.${digest}`;
    expect(nameOf('http://a.example/1', 'GET', prefix, '1:a1:b')).toBe(
      nameOf('http://a.example/1', 'GET', prefix),
    );
  });

  test.each(['', 'product:42', 'views.decorators.cache.cache_page.', 'x.GET.y'])(
    'is none for %j',
    (key) => {
      expect(nameOfRemoval(key)).toBeUndefined();
    },
  );
});
