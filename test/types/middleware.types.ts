/**
 * Compiled by `npm run typecheck` and never run: the helpers fit wherever Express, Connect and
 * `node:http` take middleware or a handler, without a cast.
 */
import http from 'node:http';
import http2 from 'node:http2';
import {
  addNeverCacheHeaders,
  type CacheAppOptions,
  cacheApp,
  cacheControl,
  cachePage,
  caches,
  cacheTags,
  condition,
  conditionalGet,
  etag,
  fetchFromCache,
  getMaxAge,
  hasVaryHeader,
  lastModified,
  type Middleware,
  neverCache,
  type PageCacheOptions,
  patchCacheControl,
  patchVaryHeaders,
  updateCache,
  varyOnCookie,
  varyOnHeaders,
} from 'cachewright';
import connect from 'connect';
import express, { type Request, type RequestHandler, type Response } from 'express';

const app = express();
const router = express.Router();
const view: RequestHandler = (_req, res) => {
  res.send('a');
};
async function asyncView(_req: Request, res: Response): Promise<void> {
  res.json({});
}
function viewOfPost(req: Request<{ id: string }>, res: Response): void {
  res.send(req.params.id);
}

app.use(neverCache());
app.use(neverCache);
app.use('/path', conditionalGet(), varyOnCookie());
router.use(cacheControl({ maxAge: 1 }));
app.get('/a', varyOnHeaders('X'), view);
app.get('/a', varyOnHeaders('X'), cacheControl({ public: true }), asyncView);
app.get('/a', [varyOnCookie(), conditionalGet()], view);
app.get('/a', varyOnHeaders('X'), (req, res) => {
  res.send(req.query.name);
});
app.get('/a/:id', varyOnHeaders('X'), (req, res) => {
  const id: string = req.params.id;
  res.send(id);
});

app.get('/a', cacheControl({ maxAge: 1 })(view));
app.get('/a', neverCache()(asyncView));
app.get('/a', neverCache(asyncView));
app.get('/a/:id', varyOnHeaders('X')(viewOfPost));
app.get(
  '/a',
  cacheControl({ maxAge: 1 })((req, res) => {
    res.send(req.query.name);
  }),
);
app.get(
  '/a/:id',
  neverCache(async (req, res) => {
    res.send(req.params.id);
  }),
);

/** What is decorated keeps its type. */
const kept: typeof asyncView = varyOnCookie()(asyncView);
const named: Middleware = cacheControl({ private: true });
app.get('/a', named, kept);

app.get(
  '/post/:id',
  condition(
    (req) => req.url,
    async () => new Date(),
  ),
  view,
);
app.get(
  '/post/:id',
  etag((req: Request) => `${req.params.id}`),
  view,
);
app.get(
  '/post/:id',
  lastModified(async (_req, res) => (res.hasHeader('X') ? null : '2024-01-01')),
  view,
);
app.get('/post/:id', condition(null, () => undefined)(view));

const connectApp = connect();
connectApp.use(neverCache());
connectApp.use('/a', varyOnHeaders('X'));
connectApp.use(
  '/a',
  varyOnHeaders('X')((_req, res) => {
    res.end('a');
  }),
);
connectApp.use((_req, res, next) => {
  patchVaryHeaders(res, ['X']);
  patchCacheControl(res, { sMaxage: 1, anything: 'x', staleIfError: 3 });
  addNeverCacheHeaders(res);
  const seconds: number | undefined = getMaxAge(res);
  const isListed: boolean = hasVaryHeader(res, String(seconds));
  next(isListed);
});

http.createServer(
  neverCache()((req, res) => {
    res.end(req.url);
  }),
);
app.get(
  '/a',
  cachePage(60, { tags: (req) => [`at ${req.url}`], tagHeaders: 'keep' }),
  (_req, res) => {
    res.cacheTags('product:42', 'list');
    cacheTags(res, 'product:42');
    res.send('a');
  },
);
connectApp.use((_req, res) => {
  cacheTags(res, 'product:42');
  res.end();
});
http.createServer(
  cachePage(60)((_req, res) => {
    cacheTags(res, 'product:42');
    res.end();
  }),
);
const purged: Promise<void> = caches.default.invalidateTags(new Set(['a']), { mode: 'soft' });
void purged;

http2.createServer(
  neverCache()((req: http2.Http2ServerRequest, res: http2.Http2ServerResponse) => {
    res.end(req.url);
  }),
);

const pageOptions: PageCacheOptions = {
  skip: (req) => req.url === '/health',
  storeIf: (req, res, body) => res.statusCode === 200 && body.includes(String(req.url)),
  browserSeconds: 0,
  perRequestFields: ['x-build'],
  key: {
    headers: ['cookie'],
    query: { ignore: 'tracking' },
    state: { ignore: ['locals.appName'], only: ['req.user'], from: ['cookie'] },
  },
};
app.use(updateCache(pageOptions));
app.use(
  updateCache({
    skip: (req: Request) => req.path === '/health',
    storeIf: (req: Request, res: Response, body) => res.locals.ok === req.path && body.length > 0,
  }),
);
const appOptions: CacheAppOptions = {
  ...pageOptions,
  before: [
    view,
    neverCache(),
    (req: Request, _res: Response, next) => next(req.path),
    (_req, _res, next) => next(),
  ],
};
http.createServer(cacheApp(app, appOptions));
// @ts-expect-error without its parentheses
app.use(updateCache);
// @ts-expect-error without its parentheses
app.use(fetchFromCache);
// @ts-expect-error without its parentheses
app.get('/', cachePage, view);
// @ts-expect-error it stands before the app, not in it
app.use(cacheApp(app));
// @ts-expect-error text in place of a predicate
updateCache({ skip: 'never' });
// @ts-expect-error whole seconds
updateCache({ browserSeconds: '5' });
// @ts-expect-error there is one list by name
updateCache({ key: { query: { ignore: 'trackers' } } });
// @ts-expect-error only cacheApp() runs middleware before the look-up
updateCache({ before: [] });
// @ts-expect-error an unknown option
updateCache({ ttl: 60 });
// @ts-expect-error an unknown rule
updateCache({ key: { cookie: ['a'] } });

// @ts-expect-error seconds are a number
cacheControl({ maxAge: '60s' });
// @ts-expect-error a directive has no list of values
cacheControl({ noCache: ['Set-Cookie'] });
// @ts-expect-error directives are in an object
cacheControl('private');
// @ts-expect-error a directive without a value
cacheControl({ noStore: 'yes' });
cacheControl({ sMaxAge: 5, private: 'Set-Cookie', postCheck: 1 });
// @ts-expect-error names, not a list of them
varyOnHeaders(['Cookie']);
// @ts-expect-error a tag is text
etag(() => 5);
// @ts-expect-error neither seconds nor milliseconds can be told from a number
lastModified(() => Date.now());
// @ts-expect-error a list of tags
caches.default.invalidateTags(42);
// @ts-expect-error hard or soft
caches.default.invalidateUrl('https://shop.example/', { mode: 'firm' });
app.get('/a', (_req, res) => {
  // @ts-expect-error tags, not a list of them
  res.cacheTags(['a']);
});
