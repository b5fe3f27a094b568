import {
  cachePage,
  fetchFromCache,
  originUnreachable,
  type PageCacheOptions,
  updateCache,
} from 'cachewright';
import compression from 'compression';
import express from 'express';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { serveHttp1, serveHttp2 } from '../support/http-client';
import { describeEachStack, type Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

const LETTER: PageCacheOptions = { seconds: null, patchHeaders: false, cacheStatus: true };

/** Answers once with this `Cache-Control`; after that it has lost its origin. */
function losing(cacheControl: string, fields: Record<string, string> = {}) {
  const state = { asked: 0, said: [] as boolean[] };
  const step: Step = (_req, res) => {
    state.asked += 1;
    if (state.asked === 1) {
      res.writeHead(200, { 'Cache-Control': cacheControl, ...fields }).end('page');
      return;
    }
    res.setHeader('X-Half-Made', '1');
    const isAnswered = originUnreachable(res);
    state.said.push(isAnswered);
    if (!isAnswered) res.writeHead(504).end('no origin');
  };
  return { state, step };
}

describeEachStack((build) => {
  const site = (step: Step, options: PageCacheOptions = LETTER) =>
    build([updateCache(options) as Step, fetchFromCache() as Step, step]);

  test.each<Record<string, string>>([{}, { ETag: '"v1"' }])(
    'with %j, a stale page is served in place of an answer (RFC 9111 §4.2.4)',
    async (fields) => {
      const { state, step } = losing('max-age=10', fields);
      const app = site(step);
      await visit(app, '/a').expect(200, 'page');
      clock.advance(11);
      for (const asked of [2, 3]) {
        const { status, text, headers } = await visit(app, '/a');
        expect([status, text, headers.age]).toEqual([200, 'page', '11']);
        expect(headers['x-half-made']).toBeUndefined();
        expect(headers['content-length']).toBe('4');
        expect(state.asked).toBe(asked);
      }
      expect(state.said).toEqual([true, true]);
      await visit(app, '/a', 'head').expect(200);
    },
  );

  test.each([
    'max-age=10, must-revalidate',
    'max-age=10, proxy-revalidate',
    's-maxage=10',
    'no-cache',
  ])('not if it says %s', async (cacheControl) => {
    const { state, step } = losing(cacheControl, { ETag: '"v1"' });
    const app = site(step);
    await visit(app, '/a').expect(200, 'page');
    clock.advance(11);
    await visit(app, '/a').expect(504, 'no origin');
    expect(state.said).toEqual([false]);
  });

  test('nor what was kept for longer than keepStale, or never stored', async () => {
    const { step } = losing('max-age=10');
    const app = site(step, { ...LETTER, keepStale: 20 });
    await visit(app, '/a').expect(200, 'page');
    await visit(app, '/other').expect(504);
    clock.advance(31);
    await visit(app, '/a').expect(504, 'no origin');
  });

  test('a client that has the stale page gets a 304', async () => {
    const { step } = losing('max-age=10', { ETag: '"v1"' });
    const app = site(step);
    await visit(app, '/a').expect(200);
    clock.advance(11);
    await visit(app, '/a').set('If-None-Match', '"v1"').expect(304);
  });

  test('it answers no other methods, and nothing once the head was sent', async () => {
    const said: boolean[] = [];
    const app = site((req, res) => {
      if (req.method === 'GET') res.writeHead(200, { 'Cache-Control': 'max-age=10' });
      said.push(originUnreachable(res));
      res.end('made');
    });
    await visit(app, '/a').expect('made');
    clock.advance(11);
    await visit(app, '/a').expect('made');
    await visit(app, '/a', 'post').expect('made');
    expect(said).toEqual([false, false, false]);
  });
});

test('without a cache it is false', async () => {
  const said: boolean[] = [];
  const app = express();
  app.get('/a', (_req, res) => {
    said.push(originUnreachable(res));
    res.end();
  });
  await visit(app, '/a').expect(200);
  expect(said).toEqual([false]);
});

test('an error of the handlers is still none that a stale page stands in for', async () => {
  let asked = 0;
  const app = express().use(updateCache(LETTER), fetchFromCache());
  app.get('/a', (_req, res) => {
    asked += 1;
    res
      .set('Cache-Control', 'max-age=10')
      .status(asked === 1 ? 200 : 503)
      .end();
  });
  await visit(app, '/a').expect(200);
  clock.advance(11);
  await visit(app, '/a').expect(503);
});

test.each([0, 100])(
  'with keepStale %i, of two caches the one that has the stale page answers',
  async (keepStale) => {
    const { step } = losing('max-age=10');
    const app = express().use(updateCache(LETTER), compression({ threshold: 0 }), fetchFromCache());
    const { seconds = null, ...letter } = LETTER;
    app.get('/a', cachePage(seconds, { ...letter, keyPrefix: 'inner', keepStale }), step as never);
    await visit(app, '/a').expect(200, 'page');
    clock.advance(11);
    await visit(app, '/a').expect(200, 'page');
  },
);

test.each([
  ['HTTP/1', serveHttp1],
  ['HTTP/2', serveHttp2],
])('over %s it sends the same fields as a hit, less what is new', async (_name, serve) => {
  const { step } = losing('max-age=10', { Link: '</a>', 'Content-Type': 'text/plain' });
  const update = updateCache(LETTER);
  const fetch = fetchFromCache();
  const site = await serve((req, res) =>
    update(req, res, () => void fetch(req, res, () => void step(req, res, () => {}))),
  );
  const plain = (lines: readonly string[]) =>
    lines
      .map((line) => line.toLowerCase())
      .filter((line) => !/^(age|cache-status):/.test(line))
      .sort();
  try {
    await site.get('/a');
    const hit = await site.get('/a');
    clock.advance(11);
    const stale = await site.get('/a');
    expect(stale.body).toEqual(hit.body);
    expect(plain(stale.lines)).toEqual(plain(hit.lines));
  } finally {
    await site.close();
  }
});
