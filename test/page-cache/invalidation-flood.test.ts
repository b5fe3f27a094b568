import { fetchFromCache, invalidate, updateCache } from 'cachewright';
import express from 'express';
import { freshCaches } from '../support/fresh-caches';
import { visit } from '../support/visit';

freshCaches();

test('an invalidation is not forgotten while a page is made, whatever others follow', async () => {
  let release: () => void = () => {};
  let calls = 0;
  const app = express();
  app.use(updateCache(), fetchFromCache());
  app.get('/a', async (_req, res) => {
    calls += 1;
    const call = calls;
    if (call === 1) {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    }
    res.send(`v${call}`);
  });
  const first = visit(app, '/a').then(({ text }) => text);
  while (calls === 0) await new Promise((resolve) => setImmediate(resolve));
  await invalidate('http://www.example.com/a');
  const flood = Array.from({ length: 10_001 }, (_, i) =>
    invalidate(`http://www.example.com/other/${i}`),
  );
  await Promise.all(flood);
  release();
  expect(await first).toBe('v1');
  await visit(app, '/a').expect('v2');
  await visit(app, '/a').expect('v2');
});
