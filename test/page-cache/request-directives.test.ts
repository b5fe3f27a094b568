import { cachePage, fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import type { Listener } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

const site = (requestDirectives: boolean) =>
  pageApp(
    (res, call) => {
      res.setHeader('ETag', `"v${call}"`);
      res.end(`page ${call}`);
    },
    { options: { seconds: 100, requestDirectives } },
  );

/** An app, and how many requests have reached it. */
function counting(app: Listener) {
  let count = 0;
  const listener: Listener = (req, res) => {
    count += 1;
    app(req, res);
  };
  return { listener, arrived: () => count };
}

const WISHES: Record<string, string>[] = [
  { 'Cache-Control': 'no-cache' },
  { 'Cache-Control': 'no-store' },
  { 'Cache-Control': 'max-age=0' },
  { 'Cache-Control': 'max-age=5' },
  { 'Cache-Control': 'min-fresh=95' },
  { Pragma: 'no-cache' },
];

test.each(WISHES)('%j is ignored by default', async (headers) => {
  const { app, origin } = site(false);
  await visit(app, '/page').expect('page 1');
  clock.advance(10);
  await visit(app, '/page').set(headers).expect('page 1');
  expect(origin.calls).toBe(1);
});

test.each(WISHES)('%j is heeded if the site says so (RFC 9111 §5.2.1)', async (headers) => {
  const { app, origin } = site(true);
  await visit(app, '/page').expect('page 1');
  clock.advance(10);
  await visit(app, '/page').set(headers).expect('page 2');
  expect(origin.calls).toBe(2);
});

test.each([
  { 'Cache-Control': 'max-age=50' },
  { 'Cache-Control': 'min-fresh=50' },
  { 'Cache-Control': 'max-stale' },
  { 'Cache-Control': 'only-if-cached' },
  { 'Cache-Control': 'max-age=50', Pragma: 'no-cache' },
])('%j is content with a page of ten seconds', async (headers) => {
  const { app } = site(true);
  await visit(app, '/page').expect('page 1');
  clock.advance(10);
  await visit(app, '/page').set(headers).expect('page 1');
});

test('only-if-cached gets 504 where there is nothing, and the handler does not run', async () => {
  const { app, origin } = site(true);
  await visit(app, '/page').set('Cache-Control', 'only-if-cached').expect(504);
  expect(origin.calls).toBe(0);
  const { app: other } = site(false);
  await visit(other, '/page').set('Cache-Control', 'only-if-cached').expect(200);
});

test('max-stale gets a stale page, as old as it allows', async () => {
  const { app, origin } = site(true);
  await visit(app, '/page').expect('page 1');
  clock.advance(130);
  const { headers } = await visit(app, '/page')
    .set('Cache-Control', 'max-stale=60')
    .expect('page 1');
  expect(headers.age).toBe('130');
  await visit(app, '/page').set('Cache-Control', 'max-stale=20').expect('page 2');
  expect(origin.calls).toBe(2);
});

test('what was asked for with no-store is not stored', async () => {
  const { app, origin } = site(true);
  await visit(app, '/page').set('Cache-Control', 'no-store').expect('page 1');
  await visit(app, '/page').expect('page 2');
  await visit(app, '/page').expect('page 2');
  expect(origin.calls).toBe(2);
});

test.each(['must-revalidate', 'proxy-revalidate', 's-maxage=10', 'no-cache'])(
  'max-stale gets nothing stale of what says %s (RFC 9111 §4.2.4)',
  async (directive) => {
    const { app } = pageApp(
      (res, call) => {
        res.setHeader('Cache-Control', `max-age=10, ${directive}`);
        res.setHeader('ETag', `"v${call}"`);
        res.end(`page ${call}`);
      },
      { options: { requestDirectives: true, patchHeaders: false } },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(11);
    await visit(app, '/page').set('Cache-Control', 'max-stale').expect('page 2');
  },
);

describe('where stale pages are sent while they are made anew', () => {
  const staleSite = () => {
    const { app, origin } = pageApp(undefined, {
      options: {
        seconds: 10,
        staleWhileRevalidate: 100,
        staleIfError: 100,
        requestDirectives: true,
      },
    });
    return { app, origin };
  };

  test.each(['no-cache', 'max-age=5', 'no-store'])('%s still gets a new one', async (directive) => {
    const { app } = staleSite();
    await visit(app, '/page').expect('page 1');
    clock.advance(12);
    await visit(app, '/page').set('Cache-Control', directive).expect('page 2');
  });

  test.each(['min-fresh=9', 'no-store'])(
    'a fresh page is not made anew behind the back of %s',
    async (directive) => {
      const { app, origin } = staleSite();
      await visit(app, '/page').expect('page 1');
      clock.advance(5);
      await visit(app, '/page').set('Cache-Control', directive).expect('page 2');
      await settled();
      expect(origin.calls).toBe(2);
    },
  );
});

test('what is asked for with no-store lets others wait for each other as before', async () => {
  let release = (): void => {};
  const { app, origin } = pageApp(
    async (res, call) => {
      if (call > 1) {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      res.end(`page ${call}`);
    },
    { options: { requestDirectives: true } },
  );
  await visit(app, '/page').set('Cache-Control', 'no-store').expect('page 1');
  const { listener, arrived } = counting(app);
  const answers = Promise.all([1, 2, 3].map(() => visit(listener, '/page')));
  while (arrived() < 3) await new Promise((resolve) => setImmediate(resolve));
  await settled();
  expect(origin.calls).toBe(2);
  release();
  expect((await answers).map(({ text }) => text)).toEqual(Array(3).fill('page 2'));
});

test('many who force a page share a run (attack 26)', async () => {
  let release = (): void => {};
  const { app, origin } = pageApp(
    async (res, call) => {
      if (call > 1) {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      res.end(`page ${call}`);
    },
    { options: { requestDirectives: true } },
  );
  await visit(app, '/page').expect('page 1');
  const { listener, arrived } = counting(app);
  const forced = () => visit(listener, '/page').set('Cache-Control', 'no-cache');
  const answers = Promise.all(Array.from({ length: 20 }, forced));
  while (arrived() < 20) await new Promise((resolve) => setImmediate(resolve));
  await settled();
  expect(origin.calls).toBe(2);
  release();
  expect(new Set((await answers).map(({ text }) => text))).toEqual(new Set(['page 2']));
});

test('what a route refuses is no error to the cache around it', async () => {
  let calls = 0;
  const app = express();
  const site = new ByteCache('directives-site');
  app.use(updateCache({ cache: site, seconds: 100, staleIfError: 100 }), fetchFromCache());
  app.get('/page', cachePage(100, { requestDirectives: true }), (_req, res) => {
    calls += 1;
    res.end(`page ${calls}`);
  });
  await visit(app, '/page').expect('page 1');
  await settled();
  clock.advance(100);
  await visit(app, '/page').set('Cache-Control', 'only-if-cached').expect(504);
  await visit(app, '/page').expect('page 2');
});
