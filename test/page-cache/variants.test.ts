import { caches, fetchFromCache, updateCache } from 'cachewright';
import { ByteCache } from '../support/backends';
import { stopClock } from '../support/clock';
import { freshCaches } from '../support/fresh-caches';
import { pageApp } from '../support/page-app';
import { settled } from '../support/settled';
import { visit } from '../support/visit';

freshCaches({ bytes: { backend: ByteCache, location: 'variants' } });
const clock = stopClock();

let sites = 0;

function site(options = {}) {
  // What is known of the variants of a URL outlives the test.
  sites += 1;
  const path = `/page${sites}`;
  const { app, origin } = pageApp(
    (res, call, req) => {
      res.setHeader('Vary', 'X-Variant');
      res.end(`${req.headers['x-variant'] ?? 'none'} ${call}`);
    },
    { options: { cache: 'bytes', ...options } },
  );
  const ask = async (variant: number | string) => {
    const { text } = await visit(app, path).set('X-Variant', String(variant));
    await settled();
    return text;
  };
  return { app, origin, ask, path };
}

const entries = () => (caches.bytes as ByteCache).entries.size;

test('of one URL a hundred variants are kept, whatever clients invent', async () => {
  const { origin, ask } = site();
  for (let i = 0; i < 250; i++) await ask(i);
  // And the list of what it varies on.
  expect(entries()).toBe(101);
  expect(origin.calls).toBe(250);
  for (let i = 150; i < 250; i++) expect(await ask(i)).toBe(`${i} ${i + 1}`);
  expect(origin.calls).toBe(250);
  expect(await ask(149)).toBe('149 251');
});

test('the option says how many, and the oldest gives way', async () => {
  const { origin, ask } = site({ maxVariants: 3 });
  for (const variant of ['a', 'b', 'c', 'd']) await ask(variant);
  expect(entries()).toBe(4);
  expect(await ask('b')).toBe('b 2');
  expect(await ask('a')).toBe('a 5');
  expect(await ask('d')).toBe('d 4');
  expect(origin.calls).toBe(5);
});

test('one that is made anew is the newest again', async () => {
  const { ask } = site({ maxVariants: 2, seconds: 10 });
  await ask('a');
  await ask('b');
  clock.advance(10);
  expect(await ask('a')).toBe('a 3');
  expect(await ask('c')).toBe('c 4');
  expect(await ask('a')).toBe('a 3');
});

test('the page for those who send no such header is none of them', async () => {
  const { app, ask, path } = site({ maxVariants: 2 });
  await visit(app, path).expect('none 1');
  await settled();
  for (const variant of ['a', 'b', 'c']) await ask(variant);
  await visit(app, path).expect('none 1');
  expect(await ask('c')).toBe('c 4');
});

test('URLs are counted each by itself', async () => {
  const { app } = site({ maxVariants: 1 });
  const ask = (path: string) => visit(app, path).set('X-Variant', 'a');
  await ask('/one').expect('a 1');
  await settled();
  await ask('/two').expect('a 2');
  await settled();
  await ask('/one').expect('a 1');
  await ask('/two').expect('a 2');
});

test('many at once are capped, too', async () => {
  const { ask } = site({ maxVariants: 5 });
  await Promise.all(Array.from({ length: 40 }, (_, i) => ask(i)));
  for (let i = 0; i < 20; i++) await settled();
  expect(entries()).toBeLessThanOrEqual(6);
  expect(entries()).toBeGreaterThan(2);
});

test('the list outlives the page that is kept beside it, as long as a variant needs it', async () => {
  const { app, origin } = pageApp(
    (res, call, req) => {
      const variant = req.headers['x-variant'];
      res.setHeader('Vary', 'X-Variant');
      res.setHeader('Cache-Control', variant === undefined ? 'max-age=10' : 'max-age=100');
      res.end(`${variant ?? 'none'} ${call}`);
    },
    { options: { cache: 'bytes', keepStale: 0 } },
  );
  await visit(app, '/page').set('X-Variant', 'a').expect('a 1');
  await settled();
  await visit(app, '/page').expect('none 2');
  await settled();
  clock.advance(50);
  await visit(app, '/page').set('X-Variant', 'a').expect('a 1').expect('Age', '50');
  await visit(app, '/page').expect('none 3');
  expect(origin.calls).toBe(3);
});

test('maxVariants is a number from 0', () => {
  for (const maxVariants of [-1, Number.NaN, Number.POSITIVE_INFINITY, '5' as never]) {
    expect(() => updateCache({ maxVariants })).toThrow(/maxVariants/);
    expect(() => fetchFromCache({ maxVariants })).toThrow(/maxVariants/);
  }
});

test('two caches that keep the same URL count each its own', async () => {
  const stores = ['one', 'two'].map((name) => new ByteCache(`variants-${name}`));
  const apps = stores.map((cache) => site({ cache, maxVariants: 2 }).app);
  for (let variant = 0; variant < 6; variant++) {
    for (const app of apps) {
      await visit(app, '/shared').set('X-Variant', String(variant));
      await settled();
    }
  }
  // The list, and two variants.
  expect(stores.map(({ entries }) => entries.size)).toEqual([3, 3]);
});
