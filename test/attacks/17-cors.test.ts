import { fetchFromCache, updateCache } from 'cachewright';
import express from 'express';
import { freshCaches } from '../support/fresh-caches';
import { visit } from '../support/visit';

freshCaches();

/** As the package cors does, but for its Vary, which home-made middleware forgets. */
const echo: express.RequestHandler = (req, res, next) => {
  const { origin } = req.headers;
  if (origin !== undefined) res.set('Access-Control-Allow-Origin', origin);
  next();
};

describe.each([
  ['outside the pair', (app: express.Express) => app.use(echo, updateCache(), fetchFromCache())],
  ['between the pair', (app: express.Express) => app.use(updateCache(), echo, fetchFromCache())],
  ['inside the pair', (app: express.Express) => app.use(updateCache(), fetchFromCache(), echo)],
])('middleware that echoes Origin, %s', (_where, mount) => {
  test('tells each what fits, or nothing', async () => {
    const app = express();
    mount(app);
    app.get('/data', (_req, res) => void res.json({ a: 1 }));
    const from = (origin: string) => visit(app, '/data').set('Origin', origin);
    const allowed = 'access-control-allow-origin';
    const origins = ['https://a.example', 'https://b.example', undefined];
    for (const order of [origins, origins.toReversed()]) {
      for (const origin of order) {
        const { headers } = await (origin === undefined ? visit(app, '/data') : from(origin));
        expect([undefined, origin]).toContain(headers[allowed]);
        if (origin !== undefined) expect(headers[allowed]).toBe(origin);
      }
    }
  });
});
