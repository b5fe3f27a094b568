import net from 'node:net';
import { fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import { freshCaches } from '../support/fresh-caches';
import { type Received, type Site, serveHttp1 } from '../support/http-client';
import { settled } from '../support/settled';

freshCaches();

const HOST = { host: 'www.example.com' };

let site: Site;

afterEach(() => site.close());

/** A page that takes some time, and counts how often it was made. */
async function slowSite(
  respond: (res: express.Response, call: number, req: express.Request) => unknown,
  { waitMs = 60_000 } = {},
): Promise<{ calls: () => number; arrived: () => number }> {
  let calls = 0;
  let arrived = 0;
  const app = express();
  app.use((_req, _res, next) => {
    arrived += 1;
    next();
  });
  app.use(updateCache({ waitMs }), fetchFromCache());
  app.get('/page', async (req, res) => {
    calls += 1;
    await respond(res, calls, req);
  });
  site = await serveHttp1(app);
  return { calls: () => calls, arrived: () => arrived };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await later(2);
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const all = (count: number, headers: (i: number) => Record<string, string> = () => ({})) =>
  Promise.all(
    Array.from({ length: count }, (_, i) => site.get('/page', { ...HOST, ...headers(i) })),
  );
const texts = (received: readonly Received[]) => new Set(received.map(({ body }) => String(body)));

test('a thousand at once on a cold page run its handler once', async () => {
  const { calls } = await slowSite(async (res, call) => {
    await later(200);
    res.send(`page ${call}`);
  });
  const received = await all(1000);
  expect(calls()).toBe(1);
  expect(texts(received)).toEqual(new Set(['page 1']));
  expect(new Set(received.map(({ status }) => status))).toEqual(new Set([200]));
});

test('those who send other varying headers get their own', async () => {
  const { calls } = await slowSite(async (res, _call, req) => {
    await later(50);
    res.vary('X-Lang').send(`in ${req.get('X-Lang')}`);
  });
  const received = await all(60, (i) => ({ 'x-lang': ['de', 'en', 'fr'][i % 3]! }));
  for (const [i, { body }] of received.entries()) {
    expect(String(body)).toBe(`in ${['de', 'en', 'fr'][i % 3]}`);
  }
  expect(calls()).toBe(3);
});

test('no two of those who wait get the same cookie', async () => {
  const { calls } = await slowSite(async (res, call) => {
    await later(50);
    res.cookie('sid', String(call)).send(`for ${call}`);
  });
  const received = await all(50);
  expect(calls()).toBe(50);
  expect(texts(received).size).toBe(50);
});

test('an error is not shared, and those who waited are not made to wait for each other', async () => {
  let running = 0;
  let most = 0;
  const { calls, arrived } = await slowSite(async (res, call) => {
    running += 1;
    most = Math.max(most, running);
    // The first goes on when all others wait for it, and they when they are all here.
    await until(() => (call === 1 ? arrived() === 30 : most === 29));
    await settled();
    running -= 1;
    res.status(500).send(`error ${call}`);
  });
  await all(30);
  expect(calls()).toBe(30);
  expect(most).toBe(29);
});

test('a leader that hangs holds nobody for longer than waitMs', async () => {
  const { calls } = await slowSite(
    (res, call) => {
      if (call > 1) res.send(`page ${call}`);
    },
    { waitMs: 100 },
  );
  const leader = site.get('/page', HOST).catch(() => undefined);
  await until(() => calls() === 1);
  const received = await all(20);
  expect(new Set(received.map(({ status }) => status))).toEqual(new Set([200]));
  expect(calls()).toBeGreaterThan(1);
  await site.close();
  await leader;
});

test.each([
  ['before the head', (res: express.Response) => later(80).then(() => res.send('page'))],
  [
    'half-way',
    async (res: express.Response) => {
      res.write('half ');
      await later(80);
      res.end('page');
    },
  ],
])('a leader whose client hangs up %s strands nobody', async (_when, respond) => {
  const { calls } = await slowSite(respond);
  const leader = net.connect(site.port, '127.0.0.1');
  leader.on('error', () => {});
  leader.write('GET /page HTTP/1.1\r\nHost: www.example.com\r\n\r\n');
  await until(() => calls() > 0);
  const waiting = all(20);
  await later(30);
  leader.destroy();
  const received = await waiting;
  expect(texts(received).size).toBe(1);
  expect(String(received[0]!.body)).toMatch(/page$/);
  expect(calls()).toBeLessThanOrEqual(3);
});

test('a leader whose handler destroys the socket strands nobody', async () => {
  const { calls } = await slowSite(async (res, call) => {
    await later(30);
    if (call === 1) res.destroy();
    else res.send(`page ${call}`);
  });
  const received = await Promise.all(
    Array.from({ length: 20 }, () => site.get('/page', HOST).catch(() => undefined)),
  );
  const answered = received.filter((one) => one !== undefined);
  expect(answered.length).toBe(19);
  expect(texts(answered).size).toBe(1);
  expect(calls()).toBe(2);
});
