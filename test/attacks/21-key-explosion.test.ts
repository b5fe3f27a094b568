import type { IncomingMessage } from 'node:http';
import { caches, configureCaches, fetchFromCache, getCacheKey, updateCache } from 'cachewright';
import express from 'express';
import { type Site, serveHttp1 } from '../support/http-client';

const RANDOM = 3000;
const MAX_ENTRIES = 500;

let site: Site;
let calls: number;

beforeEach(async () => {
  configureCaches({ default: { location: 'explosion', options: { maxEntries: MAX_ENTRIES } } });
  calls = 0;
  const app = express();
  app.use(updateCache(), fetchFromCache());
  app.get('/page', (req, res) => {
    calls += 1;
    res.vary('Cookie').send(`page ${req.query.id ?? ''} ${'x'.repeat(1000)}`);
  });
  site = await serveHttp1(app);
});

afterEach(async () => {
  await site.close();
  await caches.default.clear();
});

/** Whether the page that this request asked for is still stored. */
async function isStored(path: string, headers: object): Promise<boolean> {
  const key = await getCacheKey({ url: path, headers, socket: {} } as IncomingMessage);
  return key !== null && (await caches.default.hasKey(key));
}

test.each([
  ['parameters', (i: number) => [`/page?utm_source=${i}`, {}] as const],
  ['cookies', (i: number) => ['/page', { cookie: `sid=${i}` }] as const],
  ['orders of parameters', (i: number) => [`/page?${i}&${i + 1}&id=1`, {}] as const],
])(
  'random %s leave entries bounded, and a page in use among them',
  async (_what, request) => {
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
    let stored = 0;
    for (let i = 0; i < RANDOM; i++) {
      const [path, headers] = request(i);
      if (await isStored(path, { host: 'www.example.com', ...headers })) stored += 1;
    }
    expect(stored).toBeGreaterThan(10);
    expect(stored).toBeLessThanOrEqual(MAX_ENTRIES);
  },
  60_000,
);
