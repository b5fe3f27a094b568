import { fetchFromCache, type PageCacheOptions, updateCache } from 'cachewright';
import express from 'express';
import { freshCaches } from '../support/fresh-caches';
import type { Listener } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();

type Look = (req: express.Request, res: express.Response) => unknown;

/** An app whose one handler looks at something and tells it. */
function site(look: Look, options: PageCacheOptions = {}, between: express.RequestHandler[] = []) {
  let calls = 0;
  const app = express();
  app.use(updateCache(options), ...between, fetchFromCache());
  app.get('/page', (req, res) => {
    calls += 1;
    const seen = look(req, res);
    if (!res.writableEnded) res.end(String(seen));
  });
  return { app, calls: () => calls };
}

const varyOf = async (app: express.Express) => (await visit(app, '/page')).headers.vary;
const give =
  (extra: object): express.RequestHandler =>
  (req, _res, next) => {
    Object.assign(req, extra);
    next();
  };

test.each<[string, Look, string]>([
  ['headers.cookie', (req) => req.headers.cookie, 'Cookie'],
  ['get()', (req) => req.get('Authorization'), 'Authorization'],
  ['headers.accept', (req) => req.headers.accept, 'Accept'],
  ['acceptsLanguages()', (req) => req.acceptsLanguages('de'), 'Accept-Language'],
  ['acceptsEncodings()', (req) => req.acceptsEncodings('br'), 'Accept-Encoding'],
  ['headers.origin', (req) => req.headers.origin, 'Origin'],
  ['a client hint', (req) => req.headers['sec-ch-ua-mobile'], 'Sec-Ch-Ua-Mobile'],
  ['Save-Data', (req) => req.headers['save-data'], 'Save-Data'],
  ['a forwarded header', (req) => req.headers['x-forwarded-for'], 'X-Forwarded-For'],
  ['another x- header', (req) => req.headers['x-tenant'], 'X-Tenant'],
  ['xhr', (req) => req.xhr, 'X-Requested-With'],
  ['a header that may be there', (req) => 'cookie' in req.headers, 'Cookie'],
  ['hasOwn()', (req) => Object.hasOwn(req.headers, 'cookie'), 'Cookie'],
  ['a descriptor', (req) => Object.getOwnPropertyDescriptor(req.headers, 'x-a'), 'X-A'],
  ['a header of a framework', (req) => req.get('HX-Request'), 'Hx-Request'],
  ['a header of nobody knows whom', (req) => req.get('tenant'), 'Tenant'],
  ['DNT', (req) => req.headers.dnt, 'Dnt'],
  ['forwarded', (req) => req.headers.forwarded, 'Forwarded'],
])('%s is added to Vary, sent or not', async (_what, look, vary) => {
  const { app } = site(look);
  expect(await varyOf(app)).toBe(vary);
});

test('names are added to those that the handler gives, each once', async () => {
  const { app } = site((req, res) => {
    res.vary('accept-language');
    return [req.headers['accept-language'], req.headers.cookie];
  });
  expect(await varyOf(app)).toBe('accept-language, Cookie');
});

test.each<[string, Look]>([
  ['nothing', () => 'x'],
  ['protocol', (req) => req.protocol],
  ['hostname', (req) => req.hostname],
  ['secure', (req) => req.secure],
  ['fresh, as res.send() does', (req) => req.fresh],
  ['url and query', (req) => req.url + JSON.stringify(req.query)],
  ['host', (req) => req.headers.host],
  ['cache-control', (req) => req.headers['cache-control']],
  ['the browser, which says so much', (req) => [req.get('User-Agent'), req.get('Referer')]],
  ['a trace', (req) => req.headers.traceparent],
  ['what all objects have', (req) => [req.headers.toString, req.headers.constructor]],
  ['symbols', (req) => Object.prototype.toString.call(req.headers)],
])('%s adds nothing', async (_what, look) => {
  const { app, calls } = site(look);
  expect(await varyOf(app)).toBeUndefined();
  await visit(app, '/page').set('Cookie', 'a=1');
  expect(calls()).toBe(1);
});

const MADE_OF_COOKIES = ['cookies', 'signedCookies', 'session', 'sessionID'];

test.each(MADE_OF_COOKIES)('req.%s counts as Cookie', async (name) => {
  const look: Look = (req) => JSON.stringify((req as unknown as Record<string, unknown>)[name]);
  const { app } = site(look, {}, [give({ [name]: { a: 1 } })]);
  expect(await varyOf(app)).toBe('Cookie');
});

test.each<[string, Look, object]>([
  ['ip', (req) => req.ip, {}],
  ['ips', (req) => req.ips, {}],
  ['user', (req) => (req as unknown as { user: object }).user, { user: {} }],
  ['auth', (req) => (req as unknown as { auth: object }).auth, { auth: {} }],
  ['auth, although there is none,', (req) => (req as { auth?: object }).auth, {}],
  ['rawHeaders', (req) => req.rawHeaders.length, {}],
  ['headersDistinct', (req) => req.headersDistinct.cookie, {}],
  ['user, although nobody is logged in,', (req) => (req as { user?: object }).user, {}],
  ['user, which is undefined,', (req) => (req as { user?: object }).user, { user: undefined }],
])('a page for which req.%s was read is not stored', async (_name, look, extra) => {
  const { app, calls } = site(look, {}, [give(extra)]);
  for (const _visit of [1, 2]) await visit(app, '/page');
  expect(calls()).toBe(2);
});

test.each(MADE_OF_COOKIES)('req.%s counts as Cookie where there is none, too', async (name) => {
  const { app } = site((req) => (req as unknown as Record<string, unknown>)[name]);
  expect(await varyOf(app)).toBe('Cookie');
});

test.each<[string, Look]>([
  ['ip', (req) => req.ip],
  ['ips', (req) => req.ips],
])('nor one for which an app behind the cache has read req.%s', async (_name, look) => {
  let calls = 0;
  const app = express();
  app.get('/page', (req, res) => {
    calls += 1;
    res.end(String(look(req, res)));
  });
  const update = updateCache();
  const fetch = fetchFromCache();
  const front: Listener = (req, res) =>
    update(req, res, () => fetch(req, res, () => app(req, res)));
  for (const _visit of [1, 2]) await visit(front, '/page').expect(200);
  expect(calls).toBe(2);
});

test('a user that handlers have made of a header counts as that header', async () => {
  const { app, calls } = site((req) => {
    const holder = req as unknown as { user: string };
    holder.user = `user of ${req.get('Authorization')}`;
    return holder.user;
  });
  const as = (user: string) => visit(app, '/page').set('Authorization', user);
  for (const _visit of [1, 2]) {
    await as('A').expect('user of A');
    await as('B').expect('user of B');
  }
  expect(calls()).toBe(2);
});

test('all headers that are there are read by whoever goes through them', async () => {
  const { app } = site((req) => JSON.stringify({ ...req.headers }));
  const { headers } = await visit(app, '/page').set({ 'X-Tenant': 'a', Accept: 'text/html' });
  const names = headers.vary!.split(', ').sort();
  expect(names).toEqual(['Accept', 'Accept-Encoding', 'Authorization', 'Cookie', 'X-Tenant']);
});

test('a copy of the headers gives nobody the page of somebody', async () => {
  const { app } = site((req) => `hello ${Object.assign({}, req.headers).cookie ?? 'stranger'}`);
  await visit(app, '/page').expect('hello stranger');
  await visit(app, '/page').set('Cookie', 'Ann').expect('hello Ann');
  await visit(app, '/page').expect('hello stranger');
});

test('what is read after the head keeps the page from being stored', async () => {
  const { app, calls } = site((req, res) => {
    res.write('page ');
    res.end(req.headers.cookie ?? 'none');
  });
  for (const _visit of [1, 2]) await visit(app, '/page').expect('page none');
  expect(calls()).toBe(2);
});

test('what is read between await and answer counts', async () => {
  let calls = 0;
  const app = express();
  app.use(updateCache(), fetchFromCache());
  app.get('/page', async (req, res) => {
    calls += 1;
    await new Promise((resolve) => setImmediate(resolve));
    res.send(`Hello ${req.headers.cookie ?? 'stranger'}`);
  });
  await visit(app, '/page').set('Cookie', 'Ada').expect('Hello Ada');
  await visit(app, '/page').expect('Hello stranger');
  expect(calls).toBe(2);
});

test('what middleware further out reads while the response is sent does not count', async () => {
  const session: express.RequestHandler = (req, res, next) => {
    Object.assign(req, { session: { views: 0 } });
    const { end } = res;
    res.end = function endOfSession(this: express.Response, ...args: unknown[]) {
      // As session stores do, to see whether it has changed.
      JSON.stringify((req as unknown as { session: object }).session);
      return (end as (...args: unknown[]) => express.Response).apply(this, args);
    } as typeof res.end;
    next();
  };
  const { app, calls } = site(() => 'page', {}, [session]);
  expect(await varyOf(app)).toBeUndefined();
  await visit(app, '/page').set('Cookie', 'sid=1').expect('page');
  expect(calls()).toBe(1);
});

test('what middleware further out has read before does not count', async () => {
  const look: express.RequestHandler = (req, res, next) => {
    res.locals.name = req.headers.cookie;
    next();
  };
  const { app } = site((_req, res) => `hello ${res.locals.name}`, {}, [look]);
  expect(await varyOf(app)).toBeUndefined();
});

test('names of a list are left out, and false switches it off', async () => {
  const look: Look = (req) => [req.headers['x-request-id'], req.headers['x-tenant']];
  expect(await varyOf(site(look, { varyOnRead: ['X-Request-Id'] }).app)).toBe('X-Tenant');
  const off = express();
  off.use(updateCache({ varyOnRead: false, keyPrefix: 'off' }), fetchFromCache());
  off.get('/page', (req, res) => void res.end(String(look(req, res))));
  expect(await varyOf(off)).toBeUndefined();
});

test('handlers see headers as they are, and may change them', async () => {
  const { app } = site((req) => {
    const { headers } = req;
    headers['x-added'] = 'yes';
    delete headers.accept;
    const spread = { ...headers };
    return JSON.stringify([spread['x-added'], 'accept' in spread, Object.keys(headers).length > 1]);
  });
  await visit(app, '/page').set('Accept', 'text/html').expect('["yes",false,true]');
});

test('on a hit nothing is watched', async () => {
  const seen: PropertyDescriptor[] = [];
  const app = express();
  const look: express.RequestHandler = (req, _res, next) => {
    req.on('close', () => {
      const own = Object.getOwnPropertyDescriptor(req, 'headers');
      if (own !== undefined) seen.push(own);
    });
    next();
  };
  app.use(look, updateCache(), fetchFromCache());
  app.get('/page', (_req, res) => void res.end('page'));
  await visit(app, '/page');
  const watched = seen.length;
  await visit(app, '/page').expect('page');
  expect(watched).toBe(1);
  expect(seen.length).toBe(1);
});
