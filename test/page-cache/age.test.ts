import { cachePage } from 'cachewright';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin, type Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import { visit } from '../support/visit';

freshCaches();
const clock = stopClock();

function sending(headers: Readonly<Record<string, string>>): Respond {
  return (res, call) => {
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
    res.end(`page ${call}`);
  };
}

test('a hit tells its Age in whole seconds, a fresh response none (PAGE-24)', async () => {
  const { app } = pageApp(undefined, { options: { seconds: 100 } });
  const miss = await visit(app, '/page');
  expect(miss.headers).not.toHaveProperty('age');
  await visit(app, '/page').expect('Age', '0');
  clock.advance(50.9);
  await visit(app, '/page').expect('page 1').expect('Age', '50');
  clock.advance(49);
  await visit(app, '/page').expect('page 1').expect('Age', '99');
});

test('a clock that was set back makes Age 0, never less (PAGE-24)', async () => {
  const { app } = pageApp(undefined, { options: { seconds: 100 } });
  await visit(app, '/page');
  clock.advance(-30);
  await visit(app, '/page').expect('page 1').expect('Age', '0');
});

test.each([
  ['an unreadable Expires', { Expires: 'soon' }],
  ['an Expires of 0', { Expires: '0' }],
])('there is no Age with %s (PAGE-24)', async (_why, headers) => {
  const origin = makeOrigin(sending(headers));
  const app = cachePage(50)(origin.handle) as never;
  await visit(app, '/page');
  clock.advance(10);
  const hit = await visit(app, '/page').expect('page 1');
  expect(origin.calls).toBe(1);
  expect(hit.headers).not.toHaveProperty('age');
});

test('Age counts from Date where headers are not patched (RFC 9111 §4.2.3)', async () => {
  const { app } = pageApp(sending({ 'Cache-Control': 's-maxage=50' }));
  await visit(app, '/page');
  clock.advance(10);
  await visit(app, '/page').expect('page 1').expect('Age', '10');
});

test('Age follows max-age and Expires where they contradict each other (PAGE-24)', async () => {
  const expires = new Date(clock.now() + 20_000).toUTCString();
  const { app } = pageApp(sending({ Expires: expires, 'Cache-Control': 'max-age=50' }));
  await visit(app, '/page');
  await visit(app, '/page').expect('Age', '30');
});

test('an Age from further up is gone on counting from, and not joined (PAGE-24, B6)', async () => {
  const { app } = pageApp(sending({ Age: '7', 'X-After': 'kept' }));
  await visit(app, '/page').expect('Age', '7');
  clock.advance(2);
  const { headers } = await visit(app, '/page').expect('X-After', 'kept');
  expect(headers.age).toBe('9');
});

test('after 1 s of 2 s: the first Expires, max-age=2, and Age 1 (PAGE-25)', async () => {
  const origin = makeOrigin();
  const app = cachePage(2)(origin.handle) as never;
  const miss = await visit(app, '/page');
  clock.advance(1);
  const { headers } = await visit(app, '/page').expect('page 1');
  expect(headers).toMatchObject({
    age: '1',
    'cache-control': 'max-age=2',
    expires: miss.headers.expires,
  });
  expect(headers.expires).toBe(new Date(clock.now() + 1000).toUTCString());
});
