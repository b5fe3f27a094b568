import type { IncomingMessage } from 'node:http';
import { cachePage, fetchFromCache, getCacheKey, invalidate, updateCache } from 'cachewright';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { settled } from '../support/settled';
import type { Listener, Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

/** Rewriting as servers behind some proxies have it. */
const rewrite: Step = (req, _res, next) => {
  const target = req.headers['x-original-url'];
  if (typeof target === 'string') req.url = target;
  next();
};

const FRAMEWORKS: Record<string, () => Listener & { use(...args: unknown[]): unknown }> = {
  'Express 5': () => express() as never,
  'Express 4': () => express4() as never,
  Connect: () => connect() as never,
};

describe.each(Object.entries(FRAMEWORKS))('on %s', (name, makeApp) => {
  function site(where: 'outside' | 'between' | 'inside') {
    let calls = 0;
    const app = makeApp();
    if (where === 'outside') app.use(rewrite);
    app.use(updateCache({ seconds: 10 }));
    if (where === 'between') app.use(rewrite);
    app.use(fetchFromCache());
    if (where === 'inside') app.use(rewrite);
    app.use((req: IncomingMessage, res: import('node:http').ServerResponse) => {
      calls += 1;
      res.end(`${req.url} ${calls}`);
    });
    return { app, calls: () => calls };
  }

  test.each(['outside', 'between', 'inside'] as const)(
    'a target rewritten by a header, %s the pair, is shown to its sender alone',
    async (where) => {
      const { app, calls } = site(where);
      const admin = () => visit(app, '/page').set('X-Original-URL', '/admin');
      await admin().expect('/admin 1');
      await visit(app, '/page').expect('/page 2');
      await visit(app, '/page').expect('/page 2');
      await visit(app, '/page').set('X-Original-URL', '/other').expect('/other 3');
      await visit(app, '/page').expect('/page 2');
      await visit(app, '/admin').expect('/admin 4');
      expect(calls()).toBe(4);
    },
  );

  test('and the same the other way round', async () => {
    const { app, calls } = site('between');
    await visit(app, '/page').expect('/page 1');
    const admin = () => visit(app, '/page').set('X-Original-URL', '/admin');
    // The page that was there first stays the one of those who ask for it (PAGE-42).
    for (const _visit of [1, 2]) {
      await admin().expect('/admin 2');
      await visit(app, '/page').expect('/page 1');
    }
    expect(calls()).toBe(2);
  });

  test('both go when their URL is invalidated', async () => {
    const { app } = site('between');
    const admin = () => visit(app, '/page').set('X-Original-URL', '/admin');
    await admin().expect('/admin 1');
    await visit(app, '/page').expect('/page 2');
    await invalidate('http://www.example.com/page');
    await admin().expect('/admin 3');
    await visit(app, '/page').expect('/page 4');
  });

  test('a page below a mount point is stored as any other, in one entry', async () => {
    const bytes = new ByteCache(`rewritten-${name}`);
    await bytes.clear();
    const app = makeApp();
    let calls = 0;
    const show: Step = (req, res) => {
      calls += 1;
      res.end(`${req.url} ${calls}`);
    };
    app.use('/shop', cachePage(60, { cache: bytes }));
    app.use('/shop', show);
    for (const [target, seen] of [
      ['/shop/a', '/a'],
      ['/shop', '/'],
      ['/shop?x=1', '/?x=1'],
      ['/shop/', '/'],
    ] as const) {
      const { text } = await visit(app, target).expect(200);
      expect(text.split(' ')[0]).toBe(seen);
      await settled();
      expect(bytes.tally.writes).toBe(calls);
      await visit(app, target).expect(text);
    }
    expect(calls).toBe(4);
  });
});

test('what is behind the scenes is never made of another target', async () => {
  const app = express();
  let calls = 0;
  app.use(updateCache({ seconds: 10, staleWhileRevalidate: 50 }), rewrite as never);
  app.use(fetchFromCache());
  app.use((req, res) => {
    calls += 1;
    res.end(`${req.url} ${calls}`);
  });
  const admin = () => visit(app, '/page').set('X-Original-URL', '/admin');
  await admin().expect('/admin 1');
  await visit(app, '/page').expect('/page 2');
  clock.advance(10);
  await admin().expect('/admin 1');
  await settled();
  await admin().expect('/admin 1');
  await settled();
  expect((await visit(app, '/page')).text).toMatch(/^\/page/);
});

test('getCacheKey() tells them apart, too', async () => {
  const app = express();
  const keys: (string | null)[] = [];
  app.use(rewrite as never, updateCache(), fetchFromCache());
  app.use(async (req, res) => {
    keys.push(await getCacheKey(req));
    res.end(req.url);
  });
  await visit(app, '/page').set('X-Original-URL', '/admin');
  await visit(app, '/page').set('X-Original-URL', '/other');
  await visit(app, '/page').set('X-Original-URL', '/third');
  expect(keys[0]).toBeNull();
  expect(keys[1]).not.toBeNull();
  expect(keys[2]).not.toBe(keys[1]);
});
