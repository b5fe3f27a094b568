import type { ServerResponse } from 'node:http';
import {
  cacheControl,
  cachePage,
  conditionalGet,
  fetchFromCache,
  patchCacheControl,
  patchVaryHeaders,
  updateCache,
  varyOnHeaders,
} from 'cachewright';
import express from 'express';
import express4 from 'express4';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { settled } from '../support/settled';
import { describeEachStack, type Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

describeEachStack((build) => {
  test('cacheControl({ maxAge }) wins over the configured seconds (CC-14)', async () => {
    const origin = makeOrigin();
    const app = build([
      updateCache({ seconds: 60 }),
      fetchFromCache(),
      cacheControl({ maxAge: 3600 }) as Step,
      origin.handle,
    ]);
    await visit(app, '/page')
      .expect('page 1')
      .expect('Cache-Control', 'max-age=3600')
      .expect('Expires', new Date(clock.now() + 3600_000).toUTCString());
    clock.advance(3599);
    await visit(app, '/page').expect('page 1').expect('Age', '3599');
    clock.advance(1);
    await visit(app, '/page').expect('page 2');
  });

  test('cacheControl({ private }) keeps the page out (CC-14, DOWN-03)', async () => {
    const origin = makeOrigin();
    const app = build([
      updateCache(),
      fetchFromCache(),
      cacheControl({ private: true, maxAge: 60 }) as Step,
      origin.handle,
    ]);
    await visit(app, '/page').expect('page 1').expect('Cache-Control', 'private, max-age=60');
    await visit(app, '/page').expect('page 2');
  });

  test('varyOnHeaders() around a cached handler makes one entry per value', async () => {
    const origin = makeOrigin((res, _call, req) => res.end(`in ${req.headers['accept-language']}`));
    const app = build([
      cachePage(60) as Step,
      varyOnHeaders('Accept-Language') as Step,
      origin.handle,
    ]);
    for (const _visit of [1, 2]) {
      for (const language of ['de', 'en']) {
        await visit(app, '/page').set('Accept-Language', language).expect(`in ${language}`);
      }
    }
    expect(origin.calls).toBe(2);
  });

  describe('conditionalGet() between the pair', () => {
    function site() {
      const origin = makeOrigin((res, call) => {
        res.setHeader('ETag', '"v1"');
        res.end(`page ${call}`);
      });
      const app = build([
        updateCache({ seconds: 60 }),
        conditionalGet() as Step,
        fetchFromCache(),
        origin.handle,
      ]);
      return { app, origin };
    }

    test('answers If-None-Match with 304 from a stored page, with its Age (COND-20)', async () => {
      const { app, origin } = site();
      await visit(app, '/page').expect(200, 'page 1');
      clock.advance(5);
      const { headers, text } = await visit(app, '/page').set('If-None-Match', '"v1"').expect(304);
      expect(text).toBe('');
      expect(headers).toMatchObject({ age: '5', etag: '"v1"', 'cache-control': 'max-age=60' });
      await visit(app, '/page').set('If-None-Match', '"other"').expect(200, 'page 1');
      expect(origin.calls).toBe(1);
    });

    test('answers with 304 on a cold cache, too, which is not stored (COND-20)', async () => {
      const { app, origin } = site();
      await visit(app, '/page').set('If-None-Match', '"v1"').expect(304);
      await settled();
      await visit(app, '/page').expect(200, 'page 2');
      expect(origin.calls).toBe(2);
    });

    test('gives a page without ETag one that is stored with it (COND-20)', async () => {
      const origin = makeOrigin();
      const app = build([updateCache(), conditionalGet() as Step, fetchFromCache(), origin.handle]);
      const { headers } = await visit(app, '/page').expect(200, 'page 1');
      expect(headers.etag).toMatch(/^"[0-9a-f]{32}"$/);
      await visit(app, '/page').set('If-None-Match', headers.etag!).expect(304);
      await visit(app, '/page').expect(200, 'page 1').expect('ETag', headers.etag!);
      expect(origin.calls).toBe(1);
    });
  });
});

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('a misused helper on %s keeps the page out of the cache (D12)', (_name, makeApp) => {
  test.each<[string, (res: ServerResponse) => void]>([
    [
      "patchCacheControl(res, ['no-store'])",
      (res) => patchCacheControl(res, ['no-store'] as never),
    ],
    ["patchVaryHeaders(res, 'Cookie')", (res) => patchVaryHeaders(res, 'Cookie' as never)],
  ])('%s', async (_call, misuse) => {
    let renders = 0;
    const app = makeApp();
    const answer: express.RequestHandler = (_req, res) => {
      renders += 1;
      misuse(res);
      res.send(`secret ${renders}`);
    };
    const onError: express.ErrorRequestHandler = (error, _req, res, _next) => {
      res.status(500).send(`${error.name} ${renders}`);
    };
    app.get('/page', cachePage(60), answer);
    app.use(onError);
    await visit(app as never, '/page')
      .set('Cookie', 'user=1')
      .expect(500, 'TypeError 1');
    await visit(app as never, '/page')
      .set('Cookie', 'user=2')
      .expect(500, 'TypeError 2');
  });

  test("cacheControl('private'): the route is not made", () => {
    const app = makeApp();
    expect(() => app.get('/page', cachePage(60), cacheControl('private' as never))).toThrow(
      TypeError,
    );
  });
});
