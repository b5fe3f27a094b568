import { createServer } from 'node:http';
import {
  type App,
  cacheApp,
  caches,
  fetchFromCache,
  invalidate,
  type PageCacheOptions,
  updateCache,
} from 'cachewright';
import compression from 'compression';
import connect from 'connect';
import express, { type Express } from 'express';
import express4 from 'express4';
import request from 'supertest';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

freshCaches({ pages: { location: 'pages' } });
const clock = stopClock();

/** An Express app that counts the requests which come into it. */
function counted(make: typeof express = express): { app: Express; entered: () => number } {
  let entered = 0;
  const app = make();
  app.use((_req, _res, next) => {
    entered += 1;
    next();
  });
  return { app, entered: () => entered };
}

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('before %s', (_name, make) => {
  test('a hit does not enter the app, and has the bytes and fields of the miss', async () => {
    const { app, entered } = counted(make);
    app.get('/page', (_req, res) => {
      res.set('X-Own', 'yes').send(`page ${entered()}`);
    });
    const site = cacheApp(app, { seconds: 60 });
    const miss = await visit(site, '/page?b=1&a=2').expect('page 1');
    clock.advance(7);
    const hit = await visit(site, '/page?b=1&a=2').expect('page 1');
    expect(entered()).toBe(1);
    expect(hit.headers.age).toBe('7');
    for (const name of ['x-own', 'etag', 'content-type', 'cache-control', 'x-powered-by']) {
      expect([name, hit.headers[name]]).toEqual([name, miss.headers[name]]);
      expect(miss.headers[name]).toBeDefined();
    }
    await visit(site, '/page?b=1&a=2').set('If-None-Match', miss.headers.etag!).expect(304);
    await visit(site, '/page?b=1&a=2', 'head').expect(200).expect('Content-Length', '6');
    expect(entered()).toBe(1);
    clock.advance(53);
    await visit(site, '/page?b=1&a=2').expect('page 2');
  });

  test('its pages are those of the pair inside, both ways', async () => {
    const { app, entered } = counted(make);
    app.use(updateCache({ seconds: 60 }), fetchFromCache());
    app.get('/:name', (req, res) => void res.send(`${req.params.name} ${entered()}`));
    const site = cacheApp(app, { seconds: 60 });
    await visit(app, '/inside').expect('inside 1');
    await visit(site, '/inside').expect('inside 1');
    expect(entered()).toBe(1);
    await visit(site, '/front').expect('front 2');
    await visit(app, '/front').expect('front 2');
    expect(entered()).toBe(3);
  });

  test('`trust proxy` is followed, and what a stranger forwards is not', async () => {
    for (const isTrusting of [true, false]) {
      await caches.default.clear();
      const { app, entered } = counted(make);
      app.set('trust proxy', isTrusting);
      app.get('/', (req, res) => void res.send(`${req.hostname} ${req.protocol} ${entered()}`));
      const site = cacheApp(app);
      const as = (host: string, proto: string) =>
        visit(site, '/').set({ 'X-Forwarded-Host': host, 'X-Forwarded-Proto': proto });
      const shown = [];
      for (const [host, proto] of [
        ['a.example', 'https'],
        ['b.example', 'https'],
        ['a.example', 'http'],
        ['a.example', 'https'],
      ]) {
        shown.push((await as(host!, proto!)).text);
      }
      const site1 = 'www.example.com http 1';
      expect(shown).toEqual(
        isTrusting
          ? ['a.example https 1', 'b.example https 2', 'a.example http 3', 'a.example https 1']
          : [site1, site1, site1, site1],
      );
    }
  });

  test('what middleware reads is in the key', async () => {
    const { app, entered } = counted(make);
    app.use((req, _res, next) => {
      Object.assign(req, { visitor: /visitor=(\w+)/.exec(req.headers.cookie ?? '')?.[1] });
      next();
    });
    app.get('/', (req, res) => {
      const { visitor } = req as { visitor?: string };
      res.send(`${visitor} ${req.acceptsLanguages('en', 'fr')} ${entered()}`);
    });
    const site = cacheApp(app);
    const as = (visitor: string, language: string) =>
      visit(site, '/').set({ Cookie: `visitor=${visitor}`, 'Accept-Language': language });
    await as('ada', 'fr').expect('ada fr 1');
    await as('bob', 'fr').expect('bob fr 2');
    await as('ada', 'en').expect('ada en 3');
    await as('ada', 'fr')
      .expect('ada fr 1')
      .expect('Vary', /Cookie/);
  });

  test('what sets a cookie, or goes by the address of the visitor, is not stored', async () => {
    const { app, entered } = counted(make);
    app.get('/cookie', (_req, res) => void res.cookie('id', entered()).send(`${entered()}`));
    app.get('/ip', (req, res) => void res.send(`${typeof req.ip} ${entered()}`));
    const site = cacheApp(app);
    await visit(site, '/cookie').expect('1');
    await visit(site, '/cookie').expect('2');
    await visit(site, '/ip').expect('string 3');
    await visit(site, '/ip').expect('string 4');
  });

  test('what compression() makes is kept for each encoding', async () => {
    const { app, entered } = counted(make);
    app.use(compression({ threshold: 0 }) as never);
    app.get('/', (_req, res) => void res.type('txt').send(`page ${entered()} `.repeat(200)));
    const site = cacheApp(app);
    for (const encoding of ['gzip', 'identity', 'gzip', 'identity']) {
      const { headers, text } = await visit(site, '/').set('Accept-Encoding', encoding);
      expect(headers['content-encoding']).toBe(encoding === 'gzip' ? 'gzip' : undefined);
      expect(text).toMatch(encoding === 'gzip' ? /^(page 1 )+$/ : /^(page 2 )+$/);
    }
    expect(entered()).toBe(2);
  });

  test('a POST that succeeds purges the page, as does invalidate()', async () => {
    const { app, entered } = counted(make);
    app.all('/', (req, res) => void res.status(req.query.fail ? 500 : 200).send(`${entered()}`));
    const site = cacheApp(app);
    await visit(site, '/').expect('1');
    await visit(site, '/', 'post').expect('2');
    await settled();
    await visit(site, '/').expect('3');
    await invalidate('http://www.example.com/');
    await visit(site, '/').expect('4');
    await visit(site, '/?fail=1', 'post').expect(500);
    await visit(site, '/').expect('4');
  });

  test('a POST purges the page where a handler around the app hides what it trusts', async () => {
    const { app, entered } = counted(make);
    app.set('trust proxy', true);
    app.all('/', (_req, res) => void res.send(`${entered()}`));
    const site = cacheApp((req, res) => app(req as never, res as never));
    const ask = (method: 'get' | 'post' = 'get') =>
      visit(site, '/', method).set({ 'X-Forwarded-Host': 'a.example' });
    await ask().expect('1');
    await ask('post').expect('2');
    await settled();
    await ask().expect('3');
  });

  test('a POST purges the page where a handler around the app rewrites the target', async () => {
    const { app, entered } = counted(make);
    app.all('/', (_req, res) => void res.send(`${entered()}`));
    const site = cacheApp((req, res) => {
      req.url = req.url!.slice('/api'.length);
      app(req as never, res as never);
    });
    await visit(site, '/api/').expect('1');
    await visit(site, '/api/').expect('1');
    await visit(site, '/api/', 'post').expect('2');
    await settled();
    await visit(site, '/api/').expect('3');
  });

  test('what answers a method that the app has put in the place of GET is not stored', async () => {
    const { app, entered } = counted(make);
    app.use((req, _res, next) => {
      req.method = String(req.query.method ?? req.method);
      next();
    });
    app.delete('/', (_req, res) => void res.send(`deleted ${entered()}`));
    app.head('/', (_req, res) => void res.end());
    app.get('/', (_req, res) => void res.send(`page ${entered()}`));
    const site = cacheApp(app, { cacheStatus: true });
    await visit(site, '/?method=DELETE')
      .expect('deleted 1')
      .expect('Cache-Status', /detail=method/);
    await visit(site, '/?method=DELETE').expect('deleted 2');
    await visit(site, '/?method=HEAD').expect('');
    await visit(site, '/?method=HEAD');
    expect(entered()).toBe(4);
    await visit(site, '/?method=GET', 'head').expect(200);
    await visit(site, '/?method=GET', 'head').expect(200);
    expect(entered()).toBe(5);
  });

  test('errors are those of the app, and not stored', async () => {
    const { app, entered } = counted(make);
    app.get('/', (_req, _res) => {
      throw new Error(`broken ${entered()}`);
    });
    app.use(((_error, _req, res, _next) => {
      res.status(500).send(String(_error.message));
    }) as express.ErrorRequestHandler);
    const site = cacheApp(app, { seconds: 60 });
    await visit(site, '/').expect(500, 'broken 1');
    await visit(site, '/').expect(500, 'broken 2');
  });

  test('tags given by the app purge its pages', async () => {
    const { app, entered } = counted(make);
    app.get('/', (_req, res) => {
      res.cacheTags('row');
      res.send(`${entered()}`);
    });
    const site = cacheApp(app, { cache: 'pages' });
    await visit(site, '/').expect('1');
    await visit(site, '/').expect('1');
    await caches.pages!.invalidateTags(['row']);
    await visit(site, '/').expect('2');
  });

  test('a stale page is shown while the app makes it anew', async () => {
    const { app, entered } = counted(make);
    app.get('/', (_req, res) => void res.send(`${entered()}`));
    const server = createServer(cacheApp(app, { seconds: 10, staleWhileRevalidate: 60 })).listen(0);
    const ask = () => request(server).get('/').set('Host', 'www.example.com');
    await ask().expect('1');
    clock.advance(11);
    await ask().expect('1');
    for (let turn = 0; turn < 500 && entered() === 1; turn++) await settled();
    await settled();
    await ask().expect('2');
    await new Promise((resolve) => server.close(resolve));
  });
});

test.each<[string, (respond: () => string) => App]>([
  [
    'Connect',
    (respond) =>
      connect().use((_req: unknown, res: { end(text: string): void }) => res.end(respond())),
  ],
  ['a handler of Node', (respond) => (_req, res) => res.end(respond() as never)],
])('stands before %s, too', async (_name, make) => {
  let calls = 0;
  const site = cacheApp(make(() => `${++calls}`)) as never;
  await visit(site, '/').expect('1');
  await visit(site, '/').expect('1');
  await visit(site, '/', 'post').expect('2');
});

test('concurrent visitors share one run', async () => {
  const { app, entered } = counted();
  app.get('/', async (_req, res) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    res.send(`${entered()}`);
  });
  const server = createServer(cacheApp(app)).listen(0);
  const ask = () => request(server).get('/').set('Host', 'www.example.com').expect('1');
  await Promise.all(Array.from({ length: 20 }, ask));
  expect(entered()).toBe(1);
  await new Promise((resolve) => server.close(resolve));
});

test.each<[unknown, PageCacheOptions, string]>([
  [undefined, {}, 'cacheApp() got undefined. Give an app, or a handler.'],
  [{}, {}, 'cacheApp() got an object. Give an app, or a handler.'],
  [() => {}, { maxBytes: 0 }, 'cacheApp({ maxBytes }) got 0. Give bytes above 0.'],
])('%p with %j is an error when it is made', (app, options, message) => {
  expect(() => cacheApp(app as () => void, options)).toThrow(new TypeError(message));
});
