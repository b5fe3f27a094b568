import http from 'node:http';
import { fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import express4 from 'express4';
import { freshCaches } from '../support/fresh-caches';
import { serveHttp1 } from '../support/http-client';
import { visit } from '../support/visit';

freshCaches();

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])('on %s', (_name, makeApp) => {
  /** A site that reflects a parameter into a script's address, and ignores those of campaigns. */
  function site() {
    const app = makeApp();
    app.use(updateCache({ key: { query: { ignore: ['utm_*'] } } }), fetchFromCache());
    app.get('/page', (req, res) => {
      res.send(`<script src="/js?callback=${JSON.stringify(req.query.callback)}"> ${req.url}`);
    });
    return app;
  }

  test.each([
    ['a semicolon in an ignored value', '?callback=good&utm_content=1;callback=evil'],
    ['an ignored name in other spelling', '?callback=good&utm%5fcontent=callback=evil'],
    ['an ignored name in brackets', '?callback=good&utm_content[callback]=evil'],
    ['an ignored parameter without a value', '?callback=good&utm_callback'],
    ['an ignored name with a line end', '?callback=good&utm_%0acallback=evil'],
  ])('%s leaves nothing in the page of others', async (_what, cloaked) => {
    const app = site();
    await visit(app, `/page${cloaked}`);
    const { text } = await visit(app, '/page?callback=good');
    expect(text).not.toContain('evil');
    expect(text).toContain('"good"');
  });

  test.each([
    '?callback=good&callback=evil',
    '?callback=evil&callback=good',
    '?callback[]=good&callback[]=evil',
    '?callback=good%26callback=evil',
    '?callback=good;callback=evil',
    '?Callback=evil&callback=good',
  ])('%s is another page than ?callback=good', async (query) => {
    const app = site();
    await visit(app, `/page${query}`);
    const { text } = await visit(app, '/page?callback=good');
    expect(text).not.toContain('evil');
  });
});

test.each([
  ['a Content-Length', { 'Content-Length': '13' }],
  ['chunks', { 'Transfer-Encoding': 'chunked' }],
])(
  'a GET with a body by %s is neither stored nor answered from the cache',
  async (_how, headers) => {
    let calls = 0;
    const app = express();
    app.use(updateCache(), fetchFromCache(), express.urlencoded());
    app.get('/page', (req, res) => {
      calls += 1;
      res.send(`page ${calls} ${JSON.stringify(req.body ?? {})}`);
    });
    const site = await serveHttp1(app);
    const { port } = site;
    const fat = () =>
      new Promise<string>((resolve, reject) => {
        const type = {
          'Content-Type': 'application/x-www-form-urlencoded',
          Host: 'www.example.com',
        };
        const req = http.request(
          {
            port,
            host: '127.0.0.1',
            path: '/page',
            method: 'GET',
            headers: { ...type, ...headers },
          },
          (res) => {
            let text = '';
            res.setEncoding('utf8').on('data', (chunk) => {
              text += chunk;
            });
            res.on('end', () => resolve(text));
          },
        );
        req.on('error', reject);
        req.end('callback=evil');
      });
    try {
      expect(await fat()).toBe('page 1 {"callback":"evil"}');
      await visit(app, '/page').expect('page 2 {}');
      expect(await fat()).toBe('page 3 {"callback":"evil"}');
      await visit(app, '/page').expect('page 2 {}');
    } finally {
      await site.close();
    }
  },
);
