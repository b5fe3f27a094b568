import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  cachePage,
  configurePageCache,
  fetchFromCache,
  type PageCacheOptions,
  type PageOutcomeMessage,
  updateCache,
} from 'cachewright';
import express from 'express';
import { ByteCache, RejectingCache, ThrowingCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { serveHttp1 } from '../support/http-client';
import type { Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { lastLines, serveRaw } from '../support/raw-client';
import { settled } from '../support/settled';
import type { Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

const STATUS = 'cache-status';
const withStatus = (respond?: Respond, options: PageCacheOptions = {}) =>
  pageApp(respond, { options: { cacheStatus: true, ...options } }).app;
const sending =
  (fields: Record<string, string>, status = 200): Respond =>
  (res) => {
    res.statusCode = status;
    for (const [name, value] of Object.entries(fields)) res.setHeader(name, value);
    res.end('page');
  };

test('tells of the miss and of the hits (RFC 9211 §2)', async () => {
  const app = withStatus(undefined, { seconds: 100 });
  const miss = await visit(app, '/page');
  expect(miss.headers[STATUS]).toBe('cachewright; fwd=uri-miss; stored; ttl=100');
  clock.advance(10);
  const hit = await visit(app, '/page');
  expect(hit.headers[STATUS]).toBe('cachewright; hit; ttl=90');
});

test('is not there unless asked for', async () => {
  const { app } = pageApp();
  for (const _visit of [1, 2]) {
    expect((await visit(app, '/page')).headers).not.toHaveProperty(STATUS);
  }
});

test('has the name that it is given', async () => {
  const app = withStatus(undefined, { cacheStatus: 'shop.example' });
  expect((await visit(app, '/page')).headers[STATUS]).toMatch(/^shop\.example; fwd=uri-miss/);
  expect(() => updateCache({ cacheStatus: 'no name' })).toThrow(/cacheStatus/);
});

test('tells a missing variant from a missing page', async () => {
  const app = withStatus((res) => {
    res.setHeader('Vary', 'X-Lang');
    res.end('page');
  });
  await visit(app, '/page').set('X-Lang', 'de');
  const { headers } = await visit(app, '/page').set('X-Lang', 'en');
  expect(headers[STATUS]).toMatch(/fwd=vary-miss; stored/);
});

test.each<[string, Respond, PageCacheOptions]>([
  ['private', sending({ 'Cache-Control': 'private' }), {}],
  ['no-store', sending({ 'Cache-Control': 'no-store' }), {}],
  ['no-cache', sending({ 'Cache-Control': 'no-cache' }), {}],
  ['vary-star', sending({ Vary: '*' }), {}],
  ['set-cookie', sending({ 'Set-Cookie': 'a=1' }), {}],
  ['status', sending({}, 404), {}],
  ['status', sending({ 'Cache-Control': 'max-age=60' }, 500), {}],
  ['partial', sending({ 'Content-Range': 'bytes 0-3/9' }, 206), {}],
  ['expired', sending({ 'Cache-Control': 'max-age=0' }), {}],
  ['no-lifetime', sending({}), { seconds: null }],
  ['too-large', sending({ 'Content-Length': '4' }), { maxBytes: 3 }],
  ['event-stream', sending({ 'Content-Type': 'text/event-stream' }), {}],
  ['must-understand', sending({ 'Cache-Control': 'must-understand, max-age=60' }, 299), {}],
])('says %s of what is not stored', async (detail, respond, options) => {
  const app = withStatus(respond, options);
  const { headers } = await visit(app, '/page');
  expect(headers[STATUS]).toBe(`cachewright; fwd=uri-miss; detail=${detail}`);
});

test('says authorization where RFC 9111 §3.5 forbids', async () => {
  const app = withStatus(sending({ 'Cache-Control': 'max-age=60' }), { patchHeaders: false });
  const { headers } = await visit(app, '/page').set('Authorization', 'Bearer a');
  expect(headers[STATUS]).toBe('cachewright; fwd=uri-miss; detail=authorization');
});

test('says identity of what tells visitors apart by no header', async () => {
  const app = express();
  app.use(updateCache({ cacheStatus: true }), fetchFromCache());
  app.get('/page', (req, res) => void res.send(`for ${req.ip}`));
  const { headers } = await visit(app, '/page');
  expect(headers[STATUS]).toBe('cachewright; fwd=uri-miss; detail=identity; input="req.ip"');
});

test('says session-written of a page whose handler has written the session (PAGE-63)', async () => {
  const app = express();
  const session: express.RequestHandler = (req, _res, next) => {
    Object.assign(req, { session: { views: 0 } });
    next();
  };
  app.use(updateCache({ cacheStatus: true }), session, fetchFromCache());
  app.get('/page', (req, res) => {
    (req as unknown as { session: { views: number } }).session.views += 1;
    res.send('page');
  });
  for (const _visit of [1, 2]) {
    const { headers } = await visit(app, '/page').expect('page');
    expect(headers[STATUS]).toMatch(/^cachewright; fwd=\S+-miss; detail=session-written/);
    expect(headers).not.toHaveProperty('expires');
  }
});

test.each(['post', 'put', 'delete', 'options'] as const)(
  'says method of %s, behind the pair and behind cachePage()',
  async (method) => {
    const both = withStatus();
    const route = express();
    configurePageCache({ cacheStatus: 'route' });
    route.all('/page', cachePage(60), (_req, res) => void res.send('done'));
    expect((await visit(both, '/page', method)).headers[STATUS]).toBe('cachewright; fwd=method');
    expect((await visit(route, '/page', method)).headers[STATUS]).toBe('route; fwd=method');
  },
);

test('comes after what caches further up say, on a miss, a hit and past it', async () => {
  const app = withStatus((res) => {
    res.setHeader('Cache-Status', ['origin; hit', 'middle; fwd=stale']);
    res.end('page');
  });
  const statusOf = async (method?: 'post') => (await visit(app, '/page', method)).headers[STATUS];
  expect(await statusOf()).toMatch(/^origin; hit, middle; fwd=stale, cachewright; fwd=uri-miss;/);
  expect(await statusOf()).toMatch(/^origin; hit, middle; fwd=stale, cachewright; hit;/);
  expect(await statusOf('post')).toBe('origin; hit, middle; fwd=stale, cachewright; fwd=method');
});

test('says collapsed of those who have waited for another', async () => {
  let arrived = 0;
  const app = withStatus(async (res) => {
    while (arrived < 3) await new Promise((resolve) => setImmediate(resolve));
    await settled();
    res.end('page');
  });
  const site = await serveHttp1((req, res) => {
    arrived += 1;
    app(req, res);
  });
  try {
    const answers = await Promise.all(
      [1, 2, 3].map(() => site.get('/page', { Host: 'www.example.com' })),
    );
    const told = answers.map(({ lines }) => lines.find((line) => /^cache-status/i.test(line)));
    expect(told.sort()).toEqual([
      'Cache-Status: cachewright; fwd=uri-miss; stored; ttl=600',
      'Cache-Status: cachewright; hit; collapsed; ttl=600',
      'Cache-Status: cachewright; hit; collapsed; ttl=600',
    ]);
  } finally {
    await site.close();
  }
});

test('says of a stale page that is made anew how long it has been stale', async () => {
  const app = withStatus(undefined, { seconds: 10, staleWhileRevalidate: 20 });
  await visit(app, '/page');
  clock.advance(12);
  expect((await visit(app, '/page')).headers[STATUS]).toBe('cachewright; hit; ttl=-2');
});

test('says request where it is the client that wants another', async () => {
  const app = withStatus(undefined, { requestDirectives: true, seconds: 100 });
  await visit(app, '/page');
  const forced = await visit(app, '/page').set('Cache-Control', 'no-cache');
  expect(forced.headers[STATUS]).toBe('cachewright; fwd=request; stored; ttl=100');
  const unstored = await visit(app, '/other').set('Cache-Control', 'no-store');
  expect(unstored.headers[STATUS]).toBe('cachewright; fwd=uri-miss; detail=no-store');
  const refused = await visit(app, '/third').set('Cache-Control', 'only-if-cached').expect(504);
  expect(refused.headers[STATUS]).toBe('cachewright; detail=only-if-cached');
});

test('is there on 304, 206, 416 and HEAD, too', async () => {
  const app = withStatus(sending({ ETag: '"v1"' }), { seconds: 100 });
  const ask = (headers: Record<string, string>) => visit(app, '/page').set(headers);
  const first = await ask({ 'If-None-Match': '"v1"' }).expect(304);
  expect(first.headers[STATUS]).toBe('cachewright; fwd=uri-miss; stored; ttl=100');
  for (const [headers, status] of [
    [{ 'If-None-Match': '"v1"' }, 304],
    [{ Range: 'bytes=0-1' }, 206],
    [{ Range: 'bytes=99-' }, 416],
  ] as const) {
    const { headers: sent } = await ask(headers).expect(status);
    expect(sent[STATUS]).toBe('cachewright; hit; ttl=100');
  }
  expect((await visit(app, '/page', 'head')).headers[STATUS]).toBe('cachewright; hit; ttl=100');
});

describe('says miss where the look-up failed, and nobody knows what is missing (RFC 9211 §2.2)', () => {
  const onError = () => {};
  /** Reads fail once this many have succeeded. */
  class FailingCache extends ByteCache {
    sound = Number.POSITIVE_INFINITY;

    override getFrozen(...args: Parameters<ByteCache['getFrozen']>) {
      if (this.sound <= 0) throw new Error('cannot read');
      this.sound -= 1;
      return super.getFrozen(...args);
    }
  }

  test.each<[string, PageCacheOptions['cache']]>([
    ['rejects', new RejectingCache()],
    ['throws', new ThrowingCache()],
    ['is none that is configured', 'nowhere'],
  ])('as the backend %s', async (_how, cache) => {
    const app = withStatus(undefined, { cache, onError });
    for (const method of ['get', 'head'] as const) {
      const { headers } = await visit(app, '/page', method);
      expect(headers[STATUS]).toBe('cachewright; fwd=miss; detail=look-up-failed');
    }
  });

  test('but first why the answer is not stored', async () => {
    const options = { cache: new RejectingCache(), onError };
    const app = withStatus(sending({ 'Set-Cookie': 'a=1' }), options);
    const { headers } = await visit(app, '/page');
    expect(headers[STATUS]).toBe('cachewright; fwd=miss; detail=set-cookie');
  });

  test('of a variant as of the page, and of neither once reads succeed', async () => {
    const cache = new FailingCache('look-up-failed');
    const app = withStatus(sending({ Vary: 'X-Lang' }), { cache, onError });
    const statusAfter = async (sound: number, language: string) => {
      cache.sound = sound;
      const { headers } = await visit(app, '/page').set('X-Lang', language);
      cache.sound = Number.POSITIVE_INFINITY;
      await settled();
      return headers[STATUS];
    };
    expect(await statusAfter(9, 'de')).toMatch(/fwd=uri-miss; stored; ttl=600$/);
    expect(await statusAfter(1, 'de')).toMatch(/fwd=miss; .*detail=look-up-failed$/);
    expect(await statusAfter(0, 'de')).toMatch(/fwd=miss; .*detail=look-up-failed$/);
    expect(await statusAfter(9, 'en')).toMatch(/fwd=vary-miss; stored; ttl=600$/);
    expect(await statusAfter(9, 'de')).toMatch(/hit/);
  });

  test('of a HEAD where the page that would answer it could not be read', async () => {
    const cache = new FailingCache('look-up-failed-head');
    const app = withStatus(undefined, { cache, onError });
    jest.spyOn(cache, 'getFrozen').mockRejectedValueOnce(new Error('cannot read'));
    const { headers } = await visit(app, '/page', 'head');
    expect(headers[STATUS]).toMatch(/fwd=miss; .*detail=look-up-failed$/);
  });
});

describe('says why it is none of the cache’s business', () => {
  test('a body', async () => {
    const answer = visit(withStatus(), '/page').set({ 'Content-Length': '1' }).send('x');
    expect((await answer).headers[STATUS]).toBe('cachewright; fwd=bypass; detail=body');
  });

  test.each([
    ['host', 'GET /page HTTP/1.1', 'Host: other.example'],
    ['host', 'GET /page HTTP/1.1', 'Host: www.example.com/x'],
    ['target', 'GET http://www.example.com/page HTTP/1.1', 'Host: www.example.com'],
    ['target', 'GET /page#top HTTP/1.1', 'Host: www.example.com'],
    ['upgrade', 'GET /page HTTP/1.1', 'Host: www.example.com', 'Upgrade: something'],
    ['method', 'GET /page HTTP/1.1', 'Host: www.example.com', 'X-Method: HEAD'],
  ])('%s: %s, %s', async (detail, ...request) => {
    const override: Step = (req, _res, next) => {
      req.method = (req.headers['x-method'] as string | undefined) ?? req.method;
      next();
    };
    const { app } = pageApp(undefined, {
      options: { cacheStatus: true, key: { hosts: ['www.example.com', 'www.example.com/x'] } },
      between: [override],
    });
    const site = await serveRaw(app);
    const answer = await site.exchange(lastLines(...request));
    await site.close();
    expect(answer).toContain(`Cache-Status: cachewright; fwd=bypass; detail=${detail}\r\n`);
  });
});

test('tells of validation, and of the error that something stale stands in for', async () => {
  let status = 200;
  const app = withStatus(
    (res, _call, req) => {
      if (status !== 200) res.statusCode = status;
      else if (req.headers['if-none-match'] === '"v1"') res.statusCode = 304;
      res.setHeader('ETag', '"v1"');
      res.end(res.statusCode === 200 ? 'page' : undefined);
    },
    { seconds: 10, staleIfError: 100 },
  );
  await visit(app, '/page');
  clock.advance(15);
  const validated = await visit(app, '/page').expect(200, 'page');
  expect(validated.headers[STATUS]).toBe('cachewright; fwd=stale; fwd-status=304; stored; ttl=10');
  clock.advance(15);
  status = 503;
  const saved = await visit(app, '/page').expect(200, 'page');
  expect(saved.headers[STATUS]).toBe(
    'cachewright; fwd=stale; fwd-status=503; ttl=-5; detail=error',
  );
  const spared = await visit(app, '/page').expect(200, 'page');
  expect(spared.headers[STATUS]).toBe('cachewright; hit; ttl=-5; detail=error');
});

test('what it says of one is not stored for the next', async () => {
  const app = withStatus();
  await visit(app, '/page');
  const { headers } = await visit(app, '/page');
  expect(headers[STATUS]).not.toContain('stored');
  expect(headers[STATUS]).not.toContain(',');
});

test('the channel cachewright:page tells the same, once a request', async () => {
  const told: string[] = [];
  const listen = (message: unknown): void => {
    const { request, outcome } = message as PageOutcomeMessage;
    told.push(`${request.url} ${outcome.hit ? 'hit' : outcome.fwd} ${outcome.detail ?? ''}`.trim());
  };
  subscribe('cachewright:page', listen);
  try {
    const { app } = pageApp(sending({}));
    const secret = pageApp(sending({ 'Cache-Control': 'private' })).app;
    for (const _visit of [1, 2]) await visit(app, '/page');
    await visit(secret, '/secret');
    expect(told).toEqual(['/page uri-miss', '/page hit', '/secret uri-miss private']);
  } finally {
    unsubscribe('cachewright:page', listen);
  }
});
