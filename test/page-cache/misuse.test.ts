import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  cacheApp,
  cacheControl,
  cacheFragment,
  cachePage,
  caches,
  condition,
  etag,
  fetchFromCache,
  invalidate,
  lastModified,
  updateCache,
  varyOnHeaders,
} from 'cachewright';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import { freshCaches } from '../support/fresh-caches';
import { catchWarnings } from '../support/process-warnings';
import { visit } from '../support/visit';

freshCaches();

/** What a real server answers to a real request, within a time in which nothing may hang. */
async function answerOf(app: RequestListener, method = 'GET'): Promise<[number, string]> {
  const server = createServer(app).listen(0);
  try {
    const { port } = server.address() as AddressInfo;
    const signal = AbortSignal.timeout(10_000);
    const response = await fetch(`http://127.0.0.1:${port}/`, { method, signal });
    return [response.status, await response.text()];
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const tellError: express.ErrorRequestHandler = (error, _req, res, _next) => {
  res.status(500).send(`${error.name}: ${error.message}`);
};
const page: express.RequestHandler = (_req, res) => {
  res.send('page');
};

describe.each([
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
])(
  'on %s, a factory without its parentheses is an error, and no request hangs (D11)',
  (_name, makeApp) => {
    test.each<[string, unknown, string]>([
      ['updateCache', updateCache, 'Mount what it returns: app.use(updateCache()).'],
      ['fetchFromCache', fetchFromCache, 'Mount what it returns: app.use(fetchFromCache()).'],
      ['cachePage', cachePage, "Mount what it returns: app.get('/', cachePage(60), handler)."],
      ['cacheControl', cacheControl, 'Mount what it returns: cacheControl({ maxAge: 60 }).'],
      ['varyOnHeaders', varyOnHeaders, "Mount what it returns: varyOnHeaders('Cookie')."],
      ['condition', condition, 'Mount what it returns: condition((req) => …).'],
      ['etag', etag, 'Mount what it returns: etag((req) => …).'],
      ['lastModified', lastModified, 'Mount what it returns: lastModified((req) => …).'],
    ])('%s', async (name, factory, remedy) => {
      for (const mount of ['use', 'get'] as const) {
        const app = makeApp();
        if (mount === 'use') app.use(factory as express.RequestHandler);
        else app.get('/', factory as express.RequestHandler, page);
        app.use(page);
        app.use(tellError);
        expect(await answerOf(app)).toEqual([
          500,
          `TypeError: ${name} was mounted without its parentheses, and got a request. ${remedy}`,
        ]);
      }
    });

    test.each(['GET', 'POST'])('app.use(cacheApp(app)), with %s', async (method) => {
      const app = makeApp();
      app.use(cacheApp(app as never) as unknown as express.RequestHandler);
      app.use(page);
      app.use(tellError);
      const [status, text] = await answerOf(app, method);
      expect(text).toMatch(
        /^TypeError: cacheApp\(app\) is mounted in the app that it stands before/,
      );
      expect(text).toContain('http.createServer(cacheApp(app))');
      expect(status).toBe(500);
    });

    test('another app, with its cache before it, may be mounted', async () => {
      const inner = makeApp();
      inner.use(page);
      const app = makeApp();
      app.use(cacheApp(inner as never) as unknown as express.RequestHandler);
      app.use(tellError);
      expect(await answerOf(app)).toEqual([200, 'page']);
      expect(await answerOf(app)).toEqual([200, 'page']);
    });
  },
);

test('connectApp.use(cacheApp(connectApp)) does not spin (D11)', async () => {
  const app = connect();
  app.use(cacheApp(app) as unknown as connect.SimpleHandleFunction);
  expect((await answerOf(app))[0]).toBe(500);
});

test.each<[string, () => unknown, string]>([
  [
    "cachePage(60, 'pages')",
    () => cachePage(60, 'pages' as never),
    "cachePage(60, { cache: 'pages' })",
  ],
  [
    'cachePage(60, handler)',
    () => cachePage(60, page as never),
    'Mount it behind: cachePage(60), handler.',
  ],
  [
    'cachePage(60, { seconds })',
    () => cachePage(60, { seconds: 5 } as never),
    'Give them there: cachePage(5)',
  ],
  [
    "updateCache('pages')",
    () => updateCache('pages' as never),
    'Give an object: updateCache({ seconds: 60 })',
  ],
  ['updateCache(60)', () => updateCache(60 as never), 'got 60 for its options. Give an object'],
  [
    'updateCache(null)',
    () => updateCache(null as never),
    'got null for its options. Give an object',
  ],
])('%s is refused when made (D12)', (_call, make, remedy) => {
  expect(make).toThrow(TypeError);
  expect(make).toThrow(remedy);
});

test('lastModified(() => Date.now()) is told to return a Date (D12)', async () => {
  const app = express();
  app.get('/', lastModified((() => 1_700_000_000_000) as never), page);
  app.use(tellError);
  const [status, text] = await answerOf(app);
  expect(status).toBe(500);
  expect(text).toContain('Return new Date(1700000000000), or null');
});

test("cacheFragment(500, 'sidebar', [], 'x') names the function (D12)", async () => {
  const shown = cacheFragment(500, 'sidebar', [], '<p>' as never);
  await expect(shown).rejects.toThrow(TypeError);
  await expect(cacheFragment(500, 'sidebar', [], '<p>' as never)).rejects.toThrow(
    'Fragment "sidebar" got "<p>" in place of the function that renders it.',
  );
});

test('a page is purged by a URL object, too', async () => {
  let renders = 0;
  const app = express();
  app.use(cachePage(60), (_req, res) => void res.send(`${++renders}`));
  const ask = () => visit(app, '/page');
  const url = new URL('http://www.example.com/page');
  await ask().expect('1');
  await ask().expect('1');
  await invalidate(url);
  await ask().expect('2');
  await caches.default.invalidateUrl(url);
  await ask().expect('3');
});

describe('a lifetime that looks like milliseconds (D12)', () => {
  const warnings = catchWarnings();

  test.each([15 * 60 * 1000, 3600 * 1000, 24 * 3600 * 1000, 1_234_567])(
    '%d is warned of',
    (time) => {
      cachePage(time);
      updateCache({ seconds: time });
      expect(warnings).toMatchObject([
        { code: 'CACHEWRIGHT_MILLISECONDS', message: expect.stringContaining('cachePage() got') },
        { code: 'CACHEWRIGHT_MILLISECONDS', message: expect.stringContaining('seconds }) got') },
      ]);
    },
  );

  test.each([null, 0, -1, 60, 3600, 86_400, 250_000, 7 * 86_400, 30 * 86_400, 365 * 86_400])(
    '%p is not',
    (time) => {
      cachePage(time);
      updateCache({ seconds: time });
      expect(warnings).toEqual([]);
    },
  );
});
