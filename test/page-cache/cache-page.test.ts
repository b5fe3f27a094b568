import { cachePage, caches, configurePageCache, neverCache } from 'cachewright';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin, type Respond } from '../support/origin';
import { settled } from '../support/settled';
import { describeEachStack, type Listener, type Step } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches({
  other: { location: 'cache-page-other' },
  prefixed: { backend: ByteCache, location: 'cache-page', keyPrefix: 'alias' },
});
const clock = stopClock();

const httpDate = (secondsFromNow: number) =>
  new Date(clock.now() + secondsFromNow * 1000).toUTCString();

const sending =
  (cacheControl: string): Respond =>
  (res, call) => {
    res.setHeader('Cache-Control', cacheControl);
    res.end(`page ${call}`);
  };

/** A handler cached by `helper`, with its origin's count. */
function cached(helper: ReturnType<typeof cachePage>, respond?: Respond) {
  const origin = makeOrigin(respond);
  return { app: helper(origin.handle) as unknown as Listener, origin };
}

describeEachStack((build) => {
  test('caches one route, before a handler and around one (CP-11)', async () => {
    const before = makeOrigin();
    const around = makeOrigin(async (res, call) => {
      await new Promise((resolve) => setImmediate(resolve));
      res.end(`page ${call}`);
    });
    const free = makeOrigin();
    const app = build([
      { path: '/before', steps: [cachePage(60), before.handle] },
      { path: '/around', steps: [cachePage(60)(around.handle as Step)] },
      { path: '/free', steps: [free.handle] },
    ]);
    for (const _visit of [1, 2]) {
      await visit(app, '/before').expect('page 1').expect('Cache-Control', 'max-age=60');
      await visit(app, '/around').expect('page 1').expect('Cache-Control', 'max-age=60');
      const { headers } = await visit(app, '/free');
      expect(headers).not.toHaveProperty('cache-control');
    }
    expect([before, around, free].map(({ calls }) => calls)).toEqual([1, 1, 2]);
  });

  test('caches URLs that share a handler separately (CP-10)', async () => {
    const origin = makeOrigin((res, _call, req) => {
      const { originalUrl = req.url } = req as { originalUrl?: string };
      res.end(`at ${originalUrl}`);
    });
    const app = build([cachePage(60), origin.handle as Step]);
    for (const _visit of [1, 2]) {
      await visit(app, '/foo/1/').expect('at /foo/1/');
      await visit(app, '/foo/23/').expect('at /foo/23/');
      await visit(app, '/foo/23/?page=2').expect('at /foo/23/?page=2');
    }
    expect(origin.calls).toBe(3);
  });
});

test('alias and prefix are the defaults, whatever the site has configured (CP-01)', async () => {
  configurePageCache({ cache: 'prefixed', keyPrefix: 'site', seconds: 5 });
  const origin = makeOrigin();
  const on = (...args: Parameters<typeof cachePage>) =>
    visit(cachePage(...args)(origin.handle) as unknown as Listener, '/page');
  await on(60).expect('page 1').expect('Cache-Control', 'max-age=60');
  await settled();
  expect((caches.prefixed as ByteCache).tally).toEqual({ reads: 0, writes: 0 });
  await on(60, { cache: 'default', keyPrefix: '' }).expect('page 1');
  await on(60, { cache: null, keyPrefix: null }).expect('page 1');
  await on(60, { keyPrefix: 'site' }).expect('page 2');
});

test('entries are shared by equal alias and prefix, and by nothing less (CP-02)', async () => {
  const origin = makeOrigin();
  const on = (...args: Parameters<typeof cachePage>) =>
    visit(cachePage(...args)(origin.handle) as unknown as Listener, '/page');
  await on(3).expect('page 1');
  await on(3, { cache: 'default' }).expect('page 1');
  await on(9).expect('page 1');
  await on(3, { keyPrefix: 'p' }).expect('page 2');
  await on(3, { keyPrefix: 'p', cache: 'default' }).expect('page 2');
  await on(3, { keyPrefix: 'q' }).expect('page 3');
  await on(3, { cache: 'other' }).expect('page 4');
  await on(3, { cache: 'other', keyPrefix: 'p' }).expect('page 5');
  await on(3, { cache: 'other' }).expect('page 4');
  await on(3).expect('page 1');
});

test('an entry lives for its own seconds (CP-03)', async () => {
  const short = cached(cachePage(1, { keyPrefix: 'short' }));
  const long = cached(cachePage(3, { keyPrefix: 'long' }));
  for (const { app } of [short, long]) await visit(app, '/page').expect('page 1');
  clock.advance(2);
  await visit(short.app, '/page').expect('page 2');
  await visit(long.app, '/page').expect('page 1');
});

test('the seconds go before the max-age of the handler (CP-04)', async () => {
  const longer = cached(cachePage(3, { keyPrefix: 'a' }), sending('max-age=1'));
  const shorter = cached(cachePage(1, { keyPrefix: 'b' }), sending('max-age=3'));
  for (const { app } of [longer, shorter]) await visit(app, '/page').expect('page 1');
  clock.advance(1);
  await visit(longer.app, '/page').expect('page 1');
  await visit(shorter.app, '/page').expect('page 2');
});

test.each([
  ['max-age=9999', 'max-age=60'],
  ['max-age=30', 'max-age=30'],
  ['max-age=0', 'max-age=0'],
  ['s-maxage=5', 's-maxage=5, max-age=60'],
])('of 60 seconds and %s, %s is sent, and 60 s stored (CP-05)', async (own, sent) => {
  const { app } = cached(cachePage(60), sending(own));
  await visit(app, '/page').expect('page 1').expect('Cache-Control', sent);
  clock.advance(59);
  await visit(app, '/page').expect('page 1').expect('Cache-Control', sent);
  clock.advance(1);
  await visit(app, '/page').expect('page 2');
});

test.each([0, -1, -0.5])('%d seconds store nothing, and say so (CP-06)', async (seconds) => {
  const { app } = cached(cachePage(seconds));
  for (const call of [1, 2]) {
    await visit(app, '/page')
      .expect(`page ${call}`)
      .expect('Cache-Control', 'max-age=0')
      .expect('Expires', httpDate(0));
    await settled();
  }
});

test('a fraction of a second is stored for that, and sent as none', async () => {
  const { app } = cached(cachePage(0.5));
  await visit(app, '/page').expect('page 1').expect('Cache-Control', 'max-age=0');
  clock.advance(0.4);
  await visit(app, '/page').expect('page 1');
  clock.advance(0.1);
  await visit(app, '/page').expect('page 2');
});

test('null seconds are those of the response, else the configured ones (CP-07)', async () => {
  configurePageCache({ seconds: 7 });
  const own = cached(cachePage(null, { keyPrefix: 'own' }), sending('max-age=3'));
  const none = cached(cachePage(null, { keyPrefix: 'none' }));
  const zero = cached(cachePage(null, { keyPrefix: 'zero' }), sending('max-age=0'));
  await visit(own.app, '/page').expect('Cache-Control', 'max-age=3');
  await visit(none.app, '/page').expect('Cache-Control', 'max-age=7');
  await visit(zero.app, '/page').expect('Cache-Control', 'max-age=0');
  await visit(zero.app, '/page').expect('page 2');
  clock.advance(3);
  await visit(own.app, '/page').expect('page 2');
  await visit(none.app, '/page').expect('page 1');
  clock.advance(4);
  await visit(none.app, '/page').expect('page 2');
});

test.each(['private', 'no-cache', 'no-store', 'No-Store, max-age=60'])(
  'a handler that answers %s is run every time (CP-08)',
  async (value) => {
    const { app } = cached(cachePage(60), sending(value));
    await visit(app, '/page').expect('page 1').expect('Cache-Control', value);
    await visit(app, '/page').expect('page 2');
  },
);

test("the alias's prefix and the page's both apply (CP-09)", async () => {
  const { app } = cached(cachePage(60, { cache: 'prefixed', keyPrefix: 'page' }));
  await visit(app, '/page');
  await settled();
  expect([...(caches.prefixed as ByteCache).entries.keys()]).toEqual([
    expect.stringMatching(/^alias:1:views\.decorators\.cache\.cache_page\.page\.GET\./),
  ]);
});

test('neverCache inside keeps the page from being stored (CP-12)', async () => {
  const origin = makeOrigin();
  const app = cachePage(60)(neverCache(origin.handle)) as unknown as Listener;
  const { headers } = await visit(app, '/page').expect('page 1');
  expect(headers['cache-control']).toContain('no-store');
  await visit(app, '/page').expect('page 2');
});

test('neverCache outside tells clients not to store what the page cache did (CP-12)', async () => {
  const origin = makeOrigin();
  const app = neverCache(cachePage(60)(origin.handle)) as unknown as Listener;
  for (const _visit of [1, 2]) {
    const { headers } = await visit(app, '/page').expect('page 1');
    expect(headers['cache-control']).toMatch(/max-age=0.*no-cache.*no-store.*private/);
  }
  expect(origin.calls).toBe(1);
});

/** CSRF protection: a cookie, a token in the page, and a Vary that tells. */
const protect: Step = (req, res, next) => {
  const token = /csrf=(\w+)/.exec(req.headers.cookie ?? '')?.[1] ?? `t${++tokens}`;
  res.setHeader('Set-Cookie', `csrf=${token}`);
  res.setHeader('Vary', 'Cookie');
  (req as { csrf?: string }).csrf = token;
  next();
};
let tokens = 0;
const showForm: Respond = (res, _call, req) => res.end((req as { csrf?: string }).csrf);

test('CSRF protection inside makes each visitor a page of their own (CP-13)', async () => {
  const origin = makeOrigin(showForm);
  const app = cachePage(60)((req, res, _next) =>
    protect(req, res, () => origin.handle(req, res)),
  ) as unknown as Listener;
  const one = await visit(app, '/form');
  const other = await visit(app, '/form');
  expect(other.text).not.toBe(one.text);
  for (const { text, headers } of [one, other]) {
    expect(headers['set-cookie']).toEqual([`csrf=${text}`]);
    await visit(app, '/form').set('Cookie', `csrf=${text}`).expect(text);
  }
});
