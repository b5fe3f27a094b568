import { cachePage, fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin } from '../support/origin';
import { settled } from '../support/settled';
import { describeEachStack } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

describeEachStack((build) => {
  test('what cachePage() answers, the site around it does not store again (PAGE-54)', async () => {
    const site = new ByteCache('nesting-site');
    await site.clear();
    const origin = makeOrigin();
    const app = build([
      updateCache({ cache: site, seconds: 100 }),
      fetchFromCache(),
      { path: '/page', steps: [cachePage(100), origin.handle] },
    ]);
    const miss = await visit(app, '/page').expect('page 1');
    await settled();
    expect(site.tally.writes).toBe(1);

    // Lost by the site, still known to the page's own cache, which tells the site not to store it.
    await site.clear();
    clock.advance(60);
    const hit = await visit(app, '/page').expect('page 1').expect('Age', '60');
    await settled();
    expect(site.tally.writes).toBe(1);
    expect(site.entries.size).toBe(0);
    expect(hit.headers).toMatchObject({
      expires: miss.headers.expires,
      'cache-control': 'max-age=100',
    });
    clock.advance(40);
    await visit(app, '/page').expect('page 2');
    expect(origin.calls).toBe(2);
  });

  test('no cache around a hit stores it, however many there are (PAGE-54)', async () => {
    const outer = new ByteCache('nesting-outer');
    const middle = new ByteCache('nesting-middle');
    const inner = new ByteCache('nesting-inner');
    const all = [outer, middle, inner];
    for (const cache of all) await cache.clear();
    const origin = makeOrigin();
    const app = build([
      updateCache({ cache: outer }),
      fetchFromCache(),
      updateCache({ cache: middle }),
      fetchFromCache(),
      { path: '/page', steps: [cachePage(60, { cache: inner }), origin.handle] },
    ]);
    await visit(app, '/page').expect('page 1');
    await settled();
    expect(all.map(({ tally }) => tally.writes)).toEqual([1, 1, 1]);
    await outer.clear();
    await middle.clear();
    await visit(app, '/page').expect('page 1');
    await settled();
    expect(all.map(({ tally }) => tally.writes)).toEqual([1, 1, 1]);
    expect(origin.calls).toBe(1);
  });

  test('a hit of the outer cache asks no other', async () => {
    const inner = new ByteCache('nesting-asked');
    await inner.clear();
    const origin = makeOrigin();
    const app = build([
      updateCache(),
      fetchFromCache(),
      { path: '/page', steps: [cachePage(60, { cache: inner }), origin.handle] },
    ]);
    await visit(app, '/page').expect('page 1');
    await settled();
    await visit(app, '/page').expect('page 1');
    expect(inner.tally).toEqual({ reads: 1, writes: 1 });
  });

  test('after a miss in both, each stores the page for its own time', async () => {
    const site = new ByteCache('nesting-each');
    await site.clear();
    const origin = makeOrigin();
    const app = build([
      updateCache({ cache: site, seconds: 500 }),
      fetchFromCache(),
      { path: '/page', steps: [cachePage(20), origin.handle] },
    ]);
    await visit(app, '/page').expect('page 1').expect('Cache-Control', 'max-age=20');
    await settled();
    // The page's own 20 s are in its max-age by then, which goes before the site's seconds.
    clock.advance(19);
    await visit(app, '/page').expect('page 1');
    clock.advance(1);
    await visit(app, '/page').expect('page 2');
  });
});

test('a route under a site with the same cache does not wait for itself', async () => {
  const app = express();
  let calls = 0;
  app.use(updateCache({ waitMs: 60_000 }), fetchFromCache());
  app.get(
    '/page',
    cachePage(60, { waitMs: 60_000 }),
    (_req, res) => void res.send(`page ${++calls}`),
  );
  await visit(app, '/page').expect('page 1');
  await visit(app, '/page').expect('page 1');
});
