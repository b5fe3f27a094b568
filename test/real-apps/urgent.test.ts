import { cachePage, fetchFromCache, type PageCacheOptions, updateCache } from 'cachewright';
import express from 'express';
import express4 from 'express4';
import { freshCaches } from '../support/fresh-caches';
import { visit } from '../support/visit';

freshCaches();

const signIn: express.RequestHandler = (req, _res, next) => {
  const name = /user=(\w+)/.exec(req.headers.cookie ?? '')?.[1];
  Object.assign(req, { user: name && { name } });
  next();
};

type Mount = (app: express.Express, middleware: express.RequestHandler[]) => void;

const MOUNTS: Record<string, (options?: PageCacheOptions) => Mount> = {
  'the pair': (options) => (app, middleware) =>
    void app.use(updateCache(options), ...middleware, fetchFromCache()),
  cachePage: (options) => (app, middleware) => void app.use(...middleware, cachePage(60, options)),
};

const FRAMEWORKS = { 'Express 5': () => express(), 'Express 4': () => express4() };

describe.each(Object.entries(FRAMEWORKS))('%s', (_framework, make) => {
  describe.each(Object.entries(MOUNTS))('%s', (_name, mountWith) => {
    function site(answer: express.RequestHandler, options?: PageCacheOptions) {
      const app = make() as express.Express;
      mountWith(options)(app, [signIn]);
      app.get('/page', answer);
      return app;
    }

    test.each<[string, express.RequestHandler, PageCacheOptions]>([
      ['A10: req.ip', (req, res) => void res.send(`from ${req.ip}`), {}],
      ['A10: rawHeaders', (req, res) => void res.send(`${req.rawHeaders.length} lines`), {}],
      [
        'A11: a body over maxBytes (held before)',
        (_req, res) => void res.send('x'.repeat(99)),
        { maxBytes: 9 },
      ],
      [
        'A11: a cookie that is read after the first write',
        (req, res) => {
          res.write('Hello ');
          res.end(req.headers.cookie);
        },
        {},
      ],
    ])(
      '%s: nothing tells browsers or proxies to share the page',
      async (_what, answer, options) => {
        const { headers } = await visit(site(answer, options), '/page').set('Cookie', 'user=ann');
        expect(headers).not.toHaveProperty('expires');
        expect(headers['cache-control'] ?? '').not.toContain('max-age');
      },
    );

    test('A10: a page that is the same for all says how long, and is a hit (held before)', async () => {
      let renders = 0;
      const app = site((_req, res) => void res.send(`render ${++renders}`));
      const { headers } = await visit(app, '/page').set('Cookie', 'user=ann');
      expect(headers['cache-control']).toMatch(/max-age=\d/);
      await visit(app, '/page').set('Cookie', 'user=bob').expect('render 1');
    });

    test('B4: the 304 of a hit keeps the fields that allow a script to read it', async () => {
      const app = make() as express.Express;
      const allow: express.RequestHandler = (_req, res, next) => {
        res.set('Access-Control-Allow-Origin', 'https://spa.example');
        next();
      };
      mountWith()(app, [allow]);
      app.get('/page', (_req, res) => void res.json({ a: 1 }));
      const { headers } = await visit(app, '/page');
      const again = await visit(app, '/page').set('If-None-Match', headers.etag!).expect(304);
      expect(again.headers).toMatchObject({
        age: '0',
        'access-control-allow-origin': 'https://spa.example',
      });
      expect(again.headers).not.toHaveProperty('content-type');
    });

    test('D1: a setter that middleware put on the request runs', async () => {
      const app = make() as express.Express;
      const seen: unknown[] = [];
      const session: express.RequestHandler = (req, _res, next) => {
        Object.defineProperty(req, 'session', {
          configurable: true,
          get: () => ({ user: 'ann' }),
          set: (value) => void seen.push(value),
        });
        next();
      };
      mountWith()(app, [session]);
      app.get('/logout', (req, res) => {
        (req as unknown as { session: unknown }).session = null;
        res.redirect('/');
      });
      await visit(app, '/logout').redirects(0).expect(302);
      expect(seen).toEqual([null]);
    });
  });
});
