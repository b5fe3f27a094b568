import { cachePage, configurePageCache, patchResponseHeaders } from 'cachewright';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin, type Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

const httpDate = (secondsFromNow: number) =>
  new Date(clock.now() + secondsFromNow * 1000).toUTCString();

function sending(headers: Readonly<Record<string, string>>): Respond {
  return (res, call) => {
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    res.end(`page ${call}`);
  };
}

/** Visits once, then again and again: after how many seconds does the origin run anew? */
async function lifetimeOf({ app, origin }: ReturnType<typeof pageApp>): Promise<number> {
  await visit(app, '/page');
  await settled();
  for (let seconds = 1; seconds <= 12; seconds++) {
    clock.advance(1);
    await visit(app, '/page');
    if (origin.calls > 1) return seconds;
  }
  throw new Error('still fresh after 12 seconds');
}

describe('the stored lifetime is', () => {
  test('the configured seconds where the response says nothing (PAGE-18)', async () => {
    expect(await lifetimeOf(pageApp(undefined, { options: { seconds: 4 } }))).toBe(4);
  });

  test('max-age before the configured seconds (PAGE-18)', async () => {
    const respond = sending({ 'Cache-Control': 'max-age=3' });
    expect(await lifetimeOf(pageApp(respond, { options: { seconds: 9 } }))).toBe(3);
    const longer = sending({ 'Cache-Control': 'max-age=9' });
    const other = { options: { seconds: 3, keyPrefix: 'other' } };
    expect(await lifetimeOf(pageApp(longer, other))).toBe(9);
  });

  test("cachePage()'s timeout before max-age (PAGE-18)", async () => {
    const origin = makeOrigin(sending({ 'Cache-Control': 'max-age=9' }));
    const app = cachePage(4)(origin.handle) as never;
    expect(await lifetimeOf({ app, origin })).toBe(4);
  });

  test('s-maxage before max-age, and nothing is patched (PAGE-20, RFC 9111 §4.2.1)', async () => {
    const respond = sending({ 'Cache-Control': 'max-age=2, s-maxage=5' });
    const { app, origin } = pageApp(respond, { options: { seconds: 9 } });
    const { headers } = await visit(app, '/page');
    expect(headers['cache-control']).toBe('max-age=2, s-maxage=5');
    expect(headers).not.toHaveProperty('expires');
    clock.advance(4);
    await visit(app, '/page').expect('page 1');
    clock.advance(1);
    await visit(app, '/page').expect('page 2');
    expect(origin.calls).toBe(2);
  });

  test('s-maxage alone too; browsers are told nothing of it (PAGE-20)', async () => {
    const { app } = pageApp(sending({ 'Cache-Control': 's-maxage=5' }));
    const { headers } = await visit(app, '/page');
    expect(headers['cache-control']).toBe('s-maxage=5');
    expect(headers).not.toHaveProperty('expires');
    clock.advance(4);
    const hit = await visit(app, '/page').expect('page 1');
    expect(hit.headers).not.toHaveProperty('expires');
  });

  test.each(['max-age=abc', 'max-age=', 'max-age', 'max-age=1.5', 'max-age="5"', 'max-age=-5'])(
    'not taken from the unreadable %s (PAGE-21)',
    async (value) => {
      const app = pageApp(sending({ 'Cache-Control': value }), { options: { seconds: 6 } });
      expect(await lifetimeOf(app)).toBe(6);
    },
  );

  test('not bounded by what a number can hold', async () => {
    const { app, origin } = pageApp(sending({ 'Cache-Control': `max-age=${'9'.repeat(400)}` }));
    const { headers } = await visit(app, '/page').expect('page 1');
    expect(headers['cache-control']).toBe('max-age=2147483647');
    clock.advance(2 ** 31 - 2);
    await visit(app, '/page').expect('page 1');
    expect(origin.calls).toBe(1);
  });
});

describe('a response with', () => {
  test('max-age=0 is not stored, and its headers are left alone (PAGE-19)', async () => {
    const { app, origin } = pageApp(sending({ 'Cache-Control': 'max-age=0' }));
    for (const call of [1, 2]) {
      const { headers } = await visit(app, '/page').expect(`page ${call}`);
      expect(headers['cache-control']).toBe('max-age=0');
      expect(headers).not.toHaveProperty('expires');
    }
    expect(origin.calls).toBe(2);
  });

  test('max-age=30 is stored for 30 s, which Expires tells too (PAGE-19)', async () => {
    const { app, origin } = pageApp(sending({ 'Cache-Control': 'max-age=30' }));
    await visit(app, '/page').expect('Expires', httpDate(30));
    clock.advance(29.999);
    await visit(app, '/page').expect('page 1');
    clock.advance(0.001);
    await visit(app, '/page').expect('page 2');
    expect(origin.calls).toBe(2);
  });
});

describe('what is sent', () => {
  test('are Expires and max-age on every page that is stored (DOWN-01)', async () => {
    const { app } = pageApp(undefined, { options: { seconds: 60 } });
    const { headers } = await visit(app, '/page');
    expect(headers).toMatchObject({ expires: httpDate(60), 'cache-control': 'max-age=60' });
    expect(headers).not.toHaveProperty('age');
    expect(headers).not.toHaveProperty('vary');
    await visit(app, '/page').expect('Age', '0');
  });

  test('are Expires and max-age on none that is refused (DOWN-01)', async () => {
    const { app } = pageApp(sending({ Vary: '*' }));
    const { headers } = await visit(app, '/page');
    expect(headers).not.toHaveProperty('expires');
    expect(headers).not.toHaveProperty('cache-control');
  });

  test('is an Expires of the handler, even where it contradicts (PAGE-22)', async () => {
    const preset = httpDate(9999);
    const origin = makeOrigin(sending({ Expires: preset }));
    const { headers } = await visit(cachePage(60)(origin.handle) as never, '/page');
    expect(headers).toMatchObject({ expires: preset, 'cache-control': 'max-age=60' });
  });

  test('is a max-age that fits an Expires of the handler (RFC 9111 §4.2.1)', async () => {
    const preset = httpDate(9999);
    const { app } = pageApp(sending({ Expires: preset }), { options: { seconds: 60 } });
    const { headers } = await visit(app, '/page');
    expect(headers).toMatchObject({ expires: preset, 'cache-control': 'max-age=9999' });
  });

  test.each([
    ['max-age=30', 60, 'max-age=30'],
    ['max-age=90', 60, 'max-age=60'],
    ['must-revalidate', 60, 'must-revalidate, max-age=60'],
    ['public, max-age=61', 60, 'public, max-age=60'],
  ])('is, of %s and %d seconds, %s (PAGE-22)', async (own, seconds, sent) => {
    const origin = makeOrigin(sending({ 'Cache-Control': own }));
    const app = cachePage(seconds)(origin.handle) as never;
    await visit(app, '/page').expect('Cache-Control', sent);
  });

  test('is max-age=0 for a negative timeout, and the entry is never readable (PAGE-57)', async () => {
    const site = pageApp(undefined, { options: { seconds: -5 } });
    const origin = makeOrigin();
    const page = { app: cachePage(-5)(origin.handle) as never, origin };
    for (const { app, origin } of [site, page]) {
      for (const call of [1, 2]) {
        await visit(app, '/page')
          .expect(`page ${call}`)
          .expect('Cache-Control', 'max-age=0')
          .expect('Expires', httpDate(0));
        await settled();
      }
      expect(origin.calls).toBe(2);
    }
  });
});

test('with null seconds only pages that state a lifetime are stored or patched', async () => {
  const silent = pageApp(undefined, { options: { seconds: null } });
  const first = await visit(silent.app, '/silent').expect('page 1');
  expect(first.headers).not.toHaveProperty('expires');
  expect(first.headers).not.toHaveProperty('cache-control');
  await visit(silent.app, '/silent').expect('page 2');
  const respond = sending({ 'Cache-Control': 'max-age=5' });
  expect(await lifetimeOf(pageApp(respond, { options: { seconds: null } }))).toBe(5);
});

describe('patchResponseHeaders()', () => {
  /** The headers of a response after `patch`. */
  function patched(patch: (res: Parameters<Respond>[0]) => void, preset = {}) {
    const origin = makeOrigin((res) => {
      for (const [name, value] of Object.entries(preset)) res.setHeader(name, value as string);
      patch(res);
      res.end();
    });
    return visit(origin.handle, '/').then(({ headers }) => headers);
  }

  test('uses the configured seconds, as they are at the time (CC-19)', async () => {
    expect(await patched((res) => patchResponseHeaders(res))).toMatchObject({
      'cache-control': 'max-age=600',
      expires: httpDate(600),
    });
    configurePageCache({ seconds: 23 });
    expect(await patched((res) => patchResponseHeaders(res))).toMatchObject({
      'cache-control': 'max-age=23',
      expires: httpDate(23),
    });
  });

  test('changes nothing where the configured seconds are null (CC-19)', async () => {
    configurePageCache({ seconds: null });
    const headers = await patched((res) => patchResponseHeaders(res));
    expect(headers).not.toHaveProperty('cache-control');
    expect(headers).not.toHaveProperty('expires');
  });

  test('takes a negative number for 0 (CC-19)', async () => {
    expect(await patched((res) => patchResponseHeaders(res, -1))).toMatchObject({
      'cache-control': 'max-age=0',
      expires: httpDate(0),
    });
  });

  test('keeps an Expires and a smaller max-age that were there (CC-19)', async () => {
    const preset = { Expires: httpDate(7), 'Cache-Control': 'max-age=9' };
    expect(await patched((res) => patchResponseHeaders(res, 60), preset)).toMatchObject({
      'cache-control': 'max-age=9',
      expires: httpDate(7),
    });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, '60'])('refuses %p', async (seconds) => {
    const res = { setHeader() {}, getHeader() {}, hasHeader: () => false };
    expect(() => patchResponseHeaders(res as never, seconds as number)).toThrow(
      /patchResponseHeaders\(\)/,
    );
  });
});
