import { fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import { freshCaches } from '../support/fresh-caches';
import { serveHttp1 } from '../support/http-client';

freshCaches();

const HOST = { host: 'www.example.com' };

const UNCACHEABLE: Record<string, (res: express.Response) => unknown> = {
  'no-store': (res) => res.set('Cache-Control', 'no-store'),
  private: (res) => res.set('Cache-Control', 'private'),
  'Vary: *': (res) => res.set('Vary', '*'),
  'Set-Cookie': (res) => res.cookie('sid', Math.random().toString()),
  'another status': (res) => res.status(403),
  'a stream without end': (res) => res.type('text/event-stream'),
};

test.each(Object.entries(UNCACHEABLE))(
  'two hundred at once on a page with %s do not queue, nor share a body',
  async (_what, mark) => {
    let calls = 0;
    let running = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    const app = express();
    app.use(updateCache({ waitMs: 60_000 }), fetchFromCache());
    app.get('/page', async (_req, res) => {
      const call = ++calls;
      mark(res);
      running += 1;
      most = Math.max(most, running);
      // Nobody is answered before all run at once, as they never would behind one another.
      if (call > 1) {
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          if (waiting.length === 200) for (const go of waiting) go();
        });
      }
      running -= 1;
      res.end(`body ${call}`);
    });
    const site = await serveHttp1(app);
    try {
      await site.get('/page', HOST);
      const received = await Promise.all(
        Array.from({ length: 200 }, () => site.get('/page', HOST)),
      );
      expect(most).toBe(200);
      expect(new Set(received.map(({ body }) => String(body))).size).toBe(200);
    } finally {
      await site.close();
    }
  },
);

test('on a cold page all are let go as soon as the first proves uncacheable', async () => {
  let calls = 0;
  const app = express();
  app.use(updateCache({ waitMs: 60_000 }), fetchFromCache());
  const waiting: (() => void)[] = [];
  app.get('/page', async (_req, res) => {
    const call = ++calls;
    res.set('Cache-Control', 'no-store');
    if (call === 1) {
      // The verdict is in the head; the body may take its time.
      res.flushHeaders();
    }
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 50) for (const go of waiting) go();
    });
    res.end(`body ${call}`);
  });
  const site = await serveHttp1(app);
  try {
    const received = await Promise.all(Array.from({ length: 50 }, () => site.get('/page', HOST)));
    expect(new Set(received.map(({ body }) => String(body))).size).toBe(50);
  } finally {
    await site.close();
  }
});
