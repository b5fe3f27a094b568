import { fetchFromCache, updateCache } from 'cachewright';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { describeEachStack } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

describeEachStack((build) => {
  function site() {
    const origin = makeOrigin((res, call) => {
      res.setHeader('Content-Type', 'text/plain');
      res.setHeader('Content-Length', `page ${call}`.length);
      res.setHeader('X-Call', String(call));
      res.end(`page ${call}`);
    });
    return { app: build([updateCache({ seconds: 30 }), fetchFromCache(), origin.handle]), origin };
  }

  test('a stored GET answers HEAD (PAGE-43)', async () => {
    const { app, origin } = site();
    await visit(app, '/page').expect('page 1');
    clock.advance(3);
    const head = await visit(app, '/page', 'head').expect(200);
    expect(head.text).toBeUndefined();
    expect(head.headers).toMatchObject({ 'content-length': '6', 'x-call': '1', age: '3' });
    expect(origin.calls).toBe(1);
  });

  test('HEAD is stored for later HEADs, and never answers GET (PAGE-44, PAGE-45)', async () => {
    const { app, origin } = site();
    const miss = await visit(app, '/page', 'head').expect(200);
    const hit = await visit(app, '/page', 'head').expect(200);
    expect(origin.calls).toBe(1);
    for (const { headers } of [miss, hit]) {
      expect(headers).toMatchObject({ 'content-length': '6', 'x-call': '1' });
    }
    await visit(app, '/page').expect('page 2').expect('Content-Length', '6');
    await visit(app, '/page').expect('page 2');
    expect(origin.calls).toBe(2);
  });

  test('HEAD tries the GET entry first (PAGE-43)', async () => {
    const { app, origin } = site();
    await visit(app, '/page', 'head').expect('X-Call', '1');
    await visit(app, '/page').expect('page 2');
    await visit(app, '/page', 'head').expect('X-Call', '2');
    expect(origin.calls).toBe(2);
  });

  test('HEAD falls back to its own entry where the GET entry has expired (PAGE-43)', async () => {
    const { app, origin } = site();
    await visit(app, '/page').expect('page 1');
    clock.advance(30);
    await visit(app, '/page', 'head').expect('X-Call', '2');
    await visit(app, '/page', 'head').expect('X-Call', '2');
    expect(origin.calls).toBe(2);
  });
});

test('HEAD of a page whose length nobody told is stored without one (PAGE-45)', async () => {
  const origin = makeOrigin((res) => {
    res.setHeader('X-Kind', 'head');
    res.end();
  });
  const update = updateCache();
  const fetch = fetchFromCache();
  const app = (req: never, res: never) => {
    update(req, res, () => fetch(req, res, () => origin.handle(req, res)));
  };
  const miss = await visit(app as never, '/page', 'head').expect('X-Kind', 'head');
  const hit = await visit(app as never, '/page', 'head').expect('X-Kind', 'head');
  expect(origin.calls).toBe(1);
  expect(hit.headers['content-length']).toBe(miss.headers['content-length']);
});
