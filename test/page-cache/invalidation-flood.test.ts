import { fetchFromCache, invalidate, updateCache } from 'cachewright';
import express from 'express';
import { ByteCache } from '../support/backends';
import { freshCaches } from '../support/fresh-caches';
import { settled } from '../support/settled';
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

test('an invalidation takes two commands of each cache, however many segments there are', async () => {
  const caches = [new ByteCache('one-command'), new ByteCache('another-command')];
  const segment = (req: { url?: string }) => req.url!.slice(3);
  const apps = caches.map((cache) => {
    let calls = 0;
    const app = express();
    app.use(updateCache({ cache, key: { segment } }), fetchFromCache());
    app.get('/a', (_req, res) => void res.send(`v${++calls}`));
    return app;
  });
  for (const app of apps) {
    for (const page of [1, 2, 3]) await visit(app, `/a?${page}`).expect(`v${page}`);
  }
  await settled();
  const commands = caches.map((cache) => jest.spyOn(cache, 'setMany'));
  const others = caches.map((cache) => jest.spyOn(cache, 'deleteMany'));
  await invalidate('http://www.example.com/a?1');
  for (const command of commands) expect(command).toHaveBeenCalledTimes(2);
  for (const other of others) expect(other).not.toHaveBeenCalled();
  for (const app of apps) await visit(app, '/a?1').expect('v4');
});
