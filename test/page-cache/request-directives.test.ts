import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
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
