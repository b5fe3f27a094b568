import { caches, configureCaches, fetchFromCache, LocMemCache, updateCache } from 'cachewright';
import express from 'express';
import { type Site, serveHttp1 } from '../support/http-client';

const RANDOM = 3000;

let site: Site;
let calls: number;

beforeEach(async () => {
  configureCaches({ default: { location: 'explosion', options: { maxEntries: 500 } } });
  calls = 0;
  const app = express();
  app.use(updateCache(), fetchFromCache());
  app.get('/page', (req, res) => {
    calls += 1;
    res.vary('Cookie').send(`page ${req.query.id ?? ''} ${'x'.repeat(100_000)}`);
  });
  site = await serveHttp1(app);
});

afterEach(async () => {
  await site.close();
  await caches.default.clear();
});

/** Memory in use, as far as can be told. */
async function heap(): Promise<number> {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

test.each([
  ['parameters', (i: number) => [`/page?utm_source=${i}`, {}] as const],
  ['cookies', (i: number) => ['/page', { cookie: `sid=${i}` }] as const],
  ['orders of parameters', (i: number) => [`/page?${i}&${i + 1}&id=1`, {}] as const],
])(
  'random %s leave entries bounded, and a page in use among them',
  async (_what, request) => {
    const before = await heap();
    for (let i = 0; i < RANDOM; i++) {
      const [path, headers] = request(i);
      await site.get(path, { host: 'www.example.com', ...headers });
      // Visited now and then, it stays among the most recently used.
      if (i % 50 === 0) await site.get('/page?id=hot', { host: 'www.example.com' });
    }
    const hot = calls;
    await site.get('/page?id=hot', { host: 'www.example.com' });
    expect(calls).toBe(hot);
    expect(calls).toBeGreaterThan(RANDOM);
    expect(caches.default).toBeInstanceOf(LocMemCache);
    // Five thousand pages would take more than ten megabytes; five hundred take one.
    expect((await heap()) - before).toBeLessThan(20_000_000);
  },
  60_000,
);
