import type { IncomingMessage, ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { cachePage, caches, fetchFromCache, updateCache } from 'cachewright';
import express, { type RequestHandler } from 'express';
import request from 'supertest';
import { freshCaches } from '../support/fresh-caches';
import { visit } from '../support/visit';

freshCaches();

setFlagsFromString('--allow-natives-syntax');
const isSameShape = runInThisContext('(a, b) => %HaveSameMap(a, b)') as (
  a: object,
  b: object,
) => boolean;

/** From 13 on V8 does so by itself. */
const isSlow = Number.parseInt(process.versions.v8, 10) < 13;

type Exchange = [IncomingMessage, ServerResponse];

/**
 * How many requests have the shape of the one before, and how many responses, once they are answered.
 * What is in the cache is a hit: a miss is watched, and has shapes of its own.
 */
async function alike(...middleware: RequestHandler[]): Promise<[number, number]> {
  const seen: Exchange[] = [];
  let rendered = 0;
  const app = express();
  app.use((req, res, next) => {
    seen.push([req, res]);
    next();
  });
  app.use(...middleware, (_req, res) => {
    rendered += 1;
    res.send('page');
  });
  for (const _visit of [1, 2]) {
    seen.length = 0;
    for (let i = 0; i < 20; i += 1) await visit(app, `/${i}`).expect(200);
  }
  expect(rendered).toBe(middleware.length === 0 ? 40 : 20);
  const pairs = seen.slice(1).map((exchange, i) => [seen[i]!, exchange] as const);
  return [
    pairs.filter(([[before], [req]]) => isSameShape(before, req)).length,
    pairs.filter(([[, before], [, res]]) => isSameShape(before, res)).length,
  ];
}

test.each([
  ['the pair', [updateCache({ seconds: 60 }), fetchFromCache()]],
  ['cachePage', [cachePage(60)]],
  ['one in the other', [updateCache({ seconds: 60 }), fetchFromCache(), cachePage(60)]],
])(
  'behind %s, hits on requests that Express has changed are found alike',
  async (_name, middleware) => {
    // V8 has few places for such shapes: those of one app in some dozens fall into the same one.
    const apps = [];
    for (let i = 0; i < 4; i += 1) {
      await caches.default.clear();
      apps.push(await alike(...middleware));
    }
    // Not the first request, which V8 lays out generously, nor after a collection of garbage.
    expect(apps.some(([requests, responses]) => requests > 5 && responses > 5)).toBe(true);
  },
);

test('without, they are alike from V8 13 on alone: there is still something to mend', async () => {
  const [requests] = await alike();
  expect(requests > 5).toBe(!isSlow);
});

test('what watches a response is no function of its own, which V8 would keep alive', async () => {
  const seen: ServerResponse[] = [];
  const app = express();
  app.use(updateCache({ seconds: 60 }), fetchFromCache(), (_req, res) => {
    seen.push(res);
    res.send('page');
  });
  for (let i = 0; i < 2; i += 1) await request(app).get(`/own/${i}`).expect(200);
  const [first, second] = seen as [ServerResponse, ServerResponse];
  for (const name of ['writeHead', 'write', 'end', 'addTrailers'] as const) {
    expect(Object.hasOwn(second, name)).toBe(true);
    expect(second[name]).toBe(first[name]);
  }
});
