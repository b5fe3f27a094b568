import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  caches,
  configurePageCache,
  fetchFromCache,
  getCacheKey,
  learnCacheKey,
  type PageKeyOptions,
  updateCache,
} from 'cachewright';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import request from 'supertest';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin, type Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import type { Listener } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches({
  bytes: { backend: ByteCache, location: 'keys' },
  prefixed: { backend: ByteCache, location: 'keys', keyPrefix: 'alias-prefix', version: 7 },
});
const clock = stopClock();

const EXAMPLE = 'http://www.example.com/cache/test/';
const NO_HEADERS = 'd41d8cd98f00b204e9800998ecf8427e';

/** What `work` makes of a real request for `url`, and of a response with these headers. */
async function withRequest<T>(
  url: string,
  work: (req: IncomingMessage, res: ServerResponse) => T | Promise<T>,
  {
    vary,
    headers = {},
    method = 'get',
  }: {
    vary?: string | string[];
    headers?: Record<string, string>;
    method?: 'get' | 'head';
  } = {},
): Promise<T> {
  const { host, pathname, search } = new URL(url);
  let result: T | undefined;
  const app = async (req: IncomingMessage, res: ServerResponse) => {
    if (vary !== undefined) res.setHeader('Vary', vary);
    result = await work(req, res);
    res.end();
  };
  await request(app)
    [method](pathname + search)
    .set({ Host: host, ...headers });
  return result as T;
}

type Situation = Parameters<typeof withRequest>[2];

const learn = (url: string, options?: PageKeyOptions, situation?: Situation) =>
  withRequest(url, (req, res) => learnCacheKey(req, res, options), situation);
const get = (url: string, options?: Parameters<typeof getCacheKey>[1], situation?: Situation) =>
  withRequest(url, (req) => getCacheKey(req, options), situation);

describe('learnCacheKey() and getCacheKey()', () => {
  const key = (url: string, prefix = 'settingsprefix') =>
    `views.decorators.cache.cache_page.${prefix}.GET.${url}.${NO_HEADERS}`;

  beforeEach(() => configurePageCache({ keyPrefix: 'settingsprefix', seconds: 60 }));

  test.each([
    [EXAMPLE, '18a03f9c9649f7d684af5db3524f5c99'],
    [`${EXAMPLE}?test=1`, 'beaf87a9a99ee81c673ea2d67ccbec2a'],
    ['http://testserver/cache/test/', '58a0a05c8a5620f813686ff969c26853'],
    ['http://testserver/cache/test/?test=1', '0f1c2d56633c943073c4569d9a9502fe'],
  ])("give Django's key for %s (PAGE-27, PAGE-28, PAGE-29)", async (url, digest) => {
    expect(await get(url)).toBeNull();
    expect(await learn(url)).toBe(key(digest));
    expect(await get(url)).toBe(key(digest));
  });

  test('give a HEAD request its own key, by method (PAGE-27, PAGE-44)', async () => {
    const getKey = key('18a03f9c9649f7d684af5db3524f5c99');
    const headKey = getKey.replace('.GET.', '.HEAD.');
    expect(await get(EXAMPLE, { method: 'HEAD' })).toBeNull();
    expect(await learn(EXAMPLE, {}, { method: 'head' })).toBe(headKey);
    expect(await get(EXAMPLE, { method: 'HEAD' })).toBe(headKey);
    // What was learnt is of the URL, as in Django (F9).
    expect(await get(EXAMPLE)).toBe(getKey);
    expect(await get(`${EXAMPLE}?other`)).toBeNull();
  });

  test('know nothing of a URL until it was learnt, each prefix by itself (PAGE-34)', async () => {
    await learn(EXAMPLE);
    expect(await get(`${EXAMPLE}?test=1`)).toBeNull();
    expect(await get(EXAMPLE, { keyPrefix: 'localprefix' })).toBeNull();
    const local = key('18a03f9c9649f7d684af5db3524f5c99', 'localprefix');
    expect(await learn(EXAMPLE, { keyPrefix: 'localprefix' })).toBe(local);
    expect(await get(EXAMPLE, { keyPrefix: 'localprefix' })).toBe(local);
  });

  test('take what is omitted from the configuration, as it is now (PAGE-35)', async () => {
    configurePageCache({ cache: 'bytes', keyPrefix: 'later', seconds: 5 });
    const learnt = await learn(EXAMPLE);
    expect(learnt).toBe(key('18a03f9c9649f7d684af5db3524f5c99', 'later'));
    expect([...(caches.bytes as ByteCache).entries.keys()]).toEqual([`:1:${learnt}`]);
    expect(await get(EXAMPLE)).toBe(learnt);
    expect(await get(EXAMPLE, { cache: 'default' })).toBeNull();
    clock.advance(5);
    expect(await get(EXAMPLE)).toBeNull();
  });

  test("do not show the alias's own prefix and version (PAGE-36)", async () => {
    const learnt = await learn(EXAMPLE, { cache: 'prefixed' });
    expect(learnt).toBe(key('18a03f9c9649f7d684af5db3524f5c99'));
    const { entries } = caches.prefixed as ByteCache;
    expect([...entries.keys()]).toEqual([`alias-prefix:7:${learnt}`]);
    expect(await get(EXAMPLE, { cache: 'prefixed' })).toBe(learnt);
    expect(await get(EXAMPLE, { cache: 'bytes' })).toBeNull();
  });

  test('give the key without headers if none of the varying ones was sent (PAGE-37)', async () => {
    const expected = key('18a03f9c9649f7d684af5db3524f5c99');
    expect(await learn(EXAMPLE, {}, { vary: 'Pony' })).toBe(expected);
    expect(await get(EXAMPLE)).toBe(expected);
    expect(await get(EXAMPLE, {}, { headers: { Pony: 'Blue' } })).not.toBe(expected);
  });

  test('tell variants apart by the last part of the key alone (PAGE-27)', async () => {
    const situation = { vary: 'Pony', headers: { Pony: 'Blue' } };
    const learnt = await learn(EXAMPLE, {}, situation);
    expect(learnt).toMatch(
      /^views\.decorators\.cache\.cache_page\.settingsprefix\.GET\.18a03f9c9649f7d684af5db3524f5c99\.[0-9a-f]{32}$/,
    );
    expect(await get(EXAMPLE, {}, situation)).toBe(learnt);
    expect(await get(EXAMPLE, {}, { headers: { Pony: 'Red' } })).not.toBe(learnt);
  });

  test('leave out a fragment and a bare trailing question mark (PAGE-31)', async () => {
    const target = (url: string) =>
      ({ url, headers: { host: 'www.example.com' }, socket: {} }) as IncomingMessage;
    const res = { getHeader: () => undefined } as unknown as ServerResponse;
    const expected = await learnCacheKey(target('/cache/test/'), res);
    for (const url of ['/cache/test/#top', '/cache/test/?', '/cache/test/?#top']) {
      expect(await getCacheKey(target(url))).toBe(expected);
    }
    for (const url of ['/cache/test/??', '/cache/test/?a?', '/cache/test/?a=%23top']) {
      expect(await getCacheKey(target(url))).toBeNull();
    }
  });

  test('refuse a request from which no URL can be made', async () => {
    const nowhere = { url: '/', headers: {}, socket: {} } as unknown as IncomingMessage;
    await expect(getCacheKey(nowhere)).rejects.toThrow(/Host/);
    await expect(learnCacheKey(nowhere, { getHeader() {} } as never)).rejects.toThrow(/Host/);
  });

  test('give the key by which a page is removed', async () => {
    configurePageCache({});
    const origin = makeOrigin((res, call) => {
      res.setHeader('Vary', 'X-Lang');
      res.end(`page ${call}`);
    });
    const app = express();
    const keys: (string | null)[] = [];
    // Before updateCache(), which takes a successful PURGE for an unsafe method and removes more.
    app.purge('/page', async (req, res) => {
      const key = await getCacheKey(req);
      keys.push(key);
      res.json(key !== null && (await caches.default.delete(key)));
    });
    app.use(updateCache(), fetchFromCache());
    app.get('/page', origin.handle as never);
    const from = (lang: string) => visit(app, '/page').set('X-Lang', lang);
    const purge = (lang: string) =>
      request(app).purge('/page').set({ Host: 'www.example.com', 'X-Lang': lang });

    await purge('de').expect('false');
    await from('de').expect('page 1');
    await from('en').expect('page 2');
    await purge('de').expect('true');
    await from('en').expect('page 2');
    await from('de').expect('page 3');
    expect(keys[0]).toBeNull();
    expect(keys[1]).toMatch(/^views\.decorators\.cache\.cache_page\.\.GET\./);
  });
});

describe('two pages share no entry', () => {
  test('if their hosts differ (PAGE-30)', async () => {
    const { app } = pageApp((res, _call, req) => res.end(`of ${req.headers.host}`));
    for (const _visit of [1, 2]) {
      for (const host of ['a.example', 'b.example', 'a.example:8080', 'A.example', 'a.example.']) {
        await request(app).get('/page').set('Host', host).expect(`of ${host}`);
      }
    }
  });

  test.each([
    ['/a?x=1', '/a?x=2'],
    ['/a?x=1&y=2', '/a?y=2&x=1'],
    ['/a?x=1%202', '/a?x=1+2'],
    ['/a', '/a/'],
    ['/a%2Fb', '/a/b'],
    ['/a%2fb', '/a%2Fb'],
    ['/a', '/a??'],
    ['/a?x', '/a?x='],
    ['/A', '/a'],
    ['/a/../b', '/b'],
    ['//a', '/a'],
  ])('at %s and %s (PAGE-31)', async (one, other) => {
    const { app, origin } = pageApp((res, _call, req) => res.end(`of ${req.url}`));
    await visit(app, one);
    await visit(app, other);
    expect(origin.calls).toBe(2);
    await visit(app, one);
    await visit(app, other);
    expect(origin.calls).toBe(2);
  });

  test('if their key prefixes differ; another timeout makes no difference (PAGE-49)', async () => {
    const site = (options: object) => pageApp(undefined, { options });
    const one = site({ keyPrefix: 'one', seconds: 10 });
    const two = site({ keyPrefix: 'two', seconds: 10 });
    const oneForLonger = site({ keyPrefix: 'one', seconds: 99 });
    await visit(one.app, '/page');
    await visit(two.app, '/page');
    await visit(oneForLonger.app, '/page');
    expect([one, two, oneForLonger].map(({ origin }) => origin.calls)).toEqual([1, 1, 0]);
  });
});

test('a bare trailing question mark asks for the same page (PAGE-31)', async () => {
  const { app, origin } = pageApp();
  await visit(app, '/page');
  await visit(app, '/page?').expect('page 1');
  expect(origin.calls).toBe(1);
});

test('the key is of the whole URL where an app is mounted below a path (PAGE-30)', async () => {
  const origin = makeOrigin((res, _call, req) => res.end(`${req.url}`));
  const app = connect();
  for (const path of ['/one', '/two']) {
    app.use(path, updateCache() as never);
    app.use(path, fetchFromCache() as never);
    app.use(path, origin.handle as never);
  }
  for (const _visit of [1, 2]) {
    await visit(app, '/one/page').expect('/page');
    await visit(app, '/two/page').expect('/page');
  }
  expect(origin.calls).toBe(2);
});

test('the list of varying headers lives where the page without them would (PAGE-27)', async () => {
  const { app } = pageApp(
    (res) => {
      res.setHeader('Vary', 'Pony');
      res.end();
    },
    { options: { cache: 'bytes', keyPrefix: 'p' } },
  );
  await visit(app, '/cache/test/').set('Pony', 'Blue');
  await settled();
  const keys = [...(caches.bytes as ByteCache).entries.keys()];
  const stem = ':1:views.decorators.cache.cache_page.p.GET.18a03f9c9649f7d684af5db3524f5c99.';
  expect(keys).toEqual([`${stem}${NO_HEADERS}`, expect.stringMatching(/\.[0-9a-f]{32}$/)]);
  expect(keys[1]).not.toBe(keys[0]);
});

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('behind a proxy, on %s', (_name, makeApp) => {
  function build(trust: unknown, respond: Respond) {
    const origin = makeOrigin(respond);
    const app = (makeApp as typeof express)();
    if (trust !== undefined) app.set('trust proxy', trust);
    app.use(updateCache(), fetchFromCache(), origin.handle as never);
    return { app: app as Listener, origin };
  }
  /** The origin as Express derives it, to show that key and handler agree. */
  const tellOrigin: Respond = (res, _call, req) => {
    const { protocol, hostname } = req as unknown as express.Request;
    res.end(`${protocol}://${hostname}`);
  };
  const via = (app: Listener, headers: Record<string, string>) => visit(app, '/page').set(headers);

  test('forwarded host and scheme count if the proxy is trusted (PAGE-32)', async () => {
    const { app, origin } = build('loopback', tellOrigin);
    for (const _visit of [1, 2]) {
      await via(app, {}).expect('http://www.example.com');
      await via(app, { 'X-Forwarded-Host': 'b.example' }).expect('http://b.example');
      await via(app, { 'X-Forwarded-Proto': 'https' }).expect('https://www.example.com');
      await via(app, {
        'X-Forwarded-Host': 'b.example',
        'X-Forwarded-Proto': 'https,http',
      }).expect('https://b.example');
    }
    expect(origin.calls).toBe(4);
  });

  test.each([undefined, false, '10.0.0.0/8'])(
    'they do not with trust proxy %p (PAGE-32)',
    async (trust) => {
      const { app, origin } = build(trust, tellOrigin);
      await via(app, { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'https' }).expect(
        'http://www.example.com',
      );
      await via(app, {}).expect('http://www.example.com');
      await via(app, { 'X-Forwarded-Host': 'other.example' }).expect('http://www.example.com');
      expect(origin.calls).toBe(1);
    },
  );

  test.each<Record<string, string>>([
    { 'X-Forwarded-Host': ',evil.example' },
    { 'X-Forwarded-Host': ' , evil.example' },
    { 'X-Forwarded-Proto': ',https' },
  ])('an empty first element, as in %j, is nobody else’s page', async (headers) => {
    const { app, origin } = build('loopback', tellOrigin);
    const shown = await via(app, headers);
    await via(app, {}).expect('http://www.example.com');
    expect((await via(app, headers)).text).toBe(shown.text);
    await via(app, {}).expect('http://www.example.com');
    expect(origin.calls).toBe(3);
  });
});

describe('the option key.hosts', () => {
  test('caches pages of the hosts it lists, others pass (PAGE-33)', async () => {
    const hosts = ['www.example.com', 'example.com:8080'];
    const { app, origin } = pageApp(undefined, { options: { key: { hosts }, cache: 'bytes' } });
    const from = (host: string) => request(app).get('/page').set('Host', host);
    await from('www.example.com').expect('page 1');
    await from('www.example.com').expect('page 1');
    await from('example.com:8080').expect('page 2');
    await from('example.com:8080').expect('page 2');
    await settled();
    const { size } = (caches.bytes as ByteCache).entries;
    for (let i = 0; i < 5; i++) {
      await from(`invented-${i}.example`).expect(`page ${3 + i}`);
    }
    await from('example.com').expect('page 8');
    await settled();
    expect((caches.bytes as ByteCache).entries.size).toBe(size);
    expect(origin.calls).toBe(8);
  });
});
