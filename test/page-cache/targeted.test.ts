import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

type Fields = Readonly<Record<string, string | string[]>>;

/** How many seconds a page with these fields is used again, up to 100; 0: not at all. */
async function lifetimeOf(fields: Fields, options = {}) {
  const { app, origin } = pageApp(
    (res, call) => {
      for (const [name, value] of Object.entries(fields)) res.setHeader(name, value);
      res.end(`page ${call}`);
    },
    { options: { keepStale: 0, keyPrefix: String(clock.now()), ...options } },
  );
  const { headers } = await visit(app, '/page');
  let seconds = 0;
  for (; seconds <= 100; seconds++) {
    await visit(app, '/page');
    if (origin.calls > 1) break;
    clock.advance(1);
  }
  return { seconds, headers };
}

describe('CDN-Cache-Control (RFC 9213)', () => {
  test.each<[string, Fields, number]>([
    ['goes before max-age', { 'CDN-Cache-Control': 'max-age=5', 'Cache-Control': 'max-age=9' }, 5],
    ['and s-maxage', { 'CDN-Cache-Control': 'max-age=9', 'Cache-Control': 's-maxage=5' }, 9],
    [
      'and Expires',
      { 'CDN-Cache-Control': 'max-age=5', Expires: 'Mon, 05 Jan 2026 12:00:09 GMT' },
      5,
    ],
    ['and no-store', { 'CDN-Cache-Control': 'max-age=5', 'Cache-Control': 'no-store' }, 5],
    ['and private', { 'CDN-Cache-Control': 'max-age=5', 'Cache-Control': 'private' }, 5],
    ['has its own no-store', { 'CDN-Cache-Control': 'no-store', 'Cache-Control': 'max-age=9' }, 0],
    ['and private, too', { 'CDN-Cache-Control': 'private', 'Cache-Control': 'max-age=9' }, 0],
    ['and max-age=0', { 'CDN-Cache-Control': 'max-age=0', 'Cache-Control': 'max-age=9' }, 0],
    ['of several lines is one', { 'CDN-Cache-Control': ['max-age=5', 'must-revalidate'] }, 5],
    ['knows s-maxage', { 'CDN-Cache-Control': 's-maxage=5, max-age=9' }, 5],
    [
      'that cannot be read counts for nothing',
      { 'CDN-Cache-Control': 'max-age==5, no-store', 'Cache-Control': 'max-age=9' },
      9,
    ],
    [
      'whose names are not in lower case cannot be read',
      { 'CDN-Cache-Control': 'Max-Age=5', 'Cache-Control': 'max-age=9' },
      9,
    ],
    [
      'that is empty counts for nothing',
      { 'CDN-Cache-Control': '', 'Cache-Control': 'no-store' },
      0,
    ],
  ])('%s', async (_what, fields, seconds) => {
    expect((await lifetimeOf(fields)).seconds).toBe(seconds);
  });

  test('leaves the fields for browsers alone', async () => {
    const { headers } = await lifetimeOf({
      'CDN-Cache-Control': 'max-age=5',
      'Cache-Control': 'no-cache',
    });
    expect(headers['cache-control']).toBe('no-cache');
    expect(headers).not.toHaveProperty('expires');
    expect(headers['cdn-cache-control']).toBe('max-age=5');
  });

  test('without a lifetime leaves that to the site, and not to other fields', async () => {
    const fields = { 'CDN-Cache-Control': 'must-revalidate', 'Cache-Control': 'max-age=9' };
    expect((await lifetimeOf(fields, { seconds: 4 })).seconds).toBe(4);
    clock.advance(1);
    expect((await lifetimeOf(fields, { seconds: null })).seconds).toBe(0);
  });

  test('does not make a cookie everyone’s, nor what varies on everything', async () => {
    const fields = { 'CDN-Cache-Control': 'max-age=50' };
    expect((await lifetimeOf({ ...fields, 'Set-Cookie': 'sid=1' })).seconds).toBe(0);
    expect((await lifetimeOf({ ...fields, Vary: '*' })).seconds).toBe(0);
  });

  test('says how long a page may be sent stale', async () => {
    const { app } = pageApp(
      (res, call) => {
        res.setHeader('CDN-Cache-Control', 'max-age=5, stale-if-error=50');
        res.setHeader('Cache-Control', 'max-age=5, must-revalidate');
        if (call > 1) res.statusCode = 503;
        res.end(`page ${call}`);
      },
      { options: {} },
    );
    await visit(app, '/page').expect('page 1');
    clock.advance(20);
    await visit(app, '/page').expect(200, 'page 1');
  });
});
