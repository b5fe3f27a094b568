import type { IncomingMessage, ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { cachePage, fetchFromCache, updateCache } from 'cachewright';
import express, { type RequestHandler } from 'express';
import request from 'supertest';
import { freshCaches } from '../support/fresh-caches';

freshCaches();

setFlagsFromString('--allow-natives-syntax');
const isSameShape = runInThisContext('(a, b) => %HaveSameMap(a, b)') as (
  a: object,
  b: object,
) => boolean;

/** From 13 on V8 does so by itself. */
const isSlow = Number.parseInt(process.versions.v8, 10) < 13;

type Exchange = [IncomingMessage, ServerResponse];

/** How many requests have the shape of the one before, and how many responses. */
async function alike(...middleware: RequestHandler[]): Promise<[number, number]> {
  const seen: Exchange[] = [];
  const app = express();
  app.use(...middleware, (req, res) => {
    seen.push([req, res]);
    res.send('page');
  });
  for (let i = 0; i < 20; i += 1) await request(app).get(`/${i}`).expect(200);
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
])('behind %s, requests that Express has changed are found alike', async (_name, middleware) => {
  // V8 has few places for such shapes: those of one app in some dozens fall into the same one.
  const apps = [];
  for (let i = 0; i < 4; i += 1) apps.push(await alike(...middleware));
  // Not the first request, which V8 lays out generously, nor after a collection of garbage.
  expect(apps.some(([requests, responses]) => requests > 5 && responses > 5)).toBe(true);
});

test('without, they are alike from V8 13 on alone: there is still something to mend', async () => {
  const [requests] = await alike((_req, _res, next) => next());
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
