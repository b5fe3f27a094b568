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

/** The last two of some: V8 lays the first ones out generously. */
async function exchanges(...middleware: RequestHandler[]): Promise<[Exchange, Exchange]> {
  const seen: Exchange[] = [];
  const app = express();
  app.use(...middleware, (req, res) => {
    seen.push([req, res]);
    res.send('page');
  });
  for (let i = 0; i < 20; i += 1) await request(app).get(`/${i}`).expect(200);
  return seen.slice(-2) as [Exchange, Exchange];
}

test.each([
  ['the pair', [updateCache({ seconds: 60 }), fetchFromCache()]],
  ['cachePage', [cachePage(60)]],
  ['one in the other', [updateCache({ seconds: 60 }), fetchFromCache(), cachePage(60)]],
])('behind %s, requests that Express has changed are found alike', async (_name, middleware) => {
  const [[req1, res1], [req2, res2]] = await exchanges(...middleware);
  if (!isSlow) return;
  expect(isSameShape(req1, req2)).toBe(true);
  expect(isSameShape(res1, res2)).toBe(true);
});

test('without, they are not: there is still something to mend', async () => {
  const [[req1], [req2]] = await exchanges((_req, _res, next) => next());
  if (isSlow) expect(isSameShape(req1, req2)).toBe(false);
});
