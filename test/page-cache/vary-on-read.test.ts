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
  [
    'hasOwnProperty()',
    (req) => Reflect.apply(req.headers.hasOwnProperty, req.headers, ['cookie']),
    'Cookie',
  ],
  ['the browser', (req) => [req.get('User-Agent'), req.headers.referer], 'User-Agent, Referer'],
  ['a trace', (req) => req.headers.traceparent, 'Traceparent'],
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
])('%s adds nothing', async (_what, look) => {
  const { app, calls } = site(look);
  const { headers } = await visit(app, '/page');
  expect(headers.vary).toBeUndefined();
  expect(headers['cache-control']).toBe('max-age=600');
  await visit(app, '/page').set('Cookie', 'a=1');
  expect(calls()).toBe(1);
});

/** Looks that an ordinary object cannot tell of, which `structuredClone` needs the headers to be. */
test.each<[string, Look]>([
  ['hasOwn()', (req) => Object.hasOwn(req.headers, 'cookie')],
  ['a descriptor', (req) => Object.getOwnPropertyDescriptor(req.headers, 'cookie')?.enumerable],
  ['what all objects have', (req) => [req.headers.toString, req.headers.constructor]],
  ['symbols', (req) => Object.prototype.toString.call(req.headers)],
  ['nothing of them', (req) => typeof req.headers],
])('whoever gets the headers, and looks at %s, may have seen all', async (_what, look) => {
  const { app, calls } = site(look);
  const as = (cookie?: string) =>
    cookie === undefined ? visit(app, '/page') : visit(app, '/page').set('Cookie', cookie);
  const stranger = await as();
  const ann = await as('Ann');
  expect(calls()).toBe(2);
  for (const { headers } of [stranger, ann]) {
    expect(headers['cache-control']).toBe('private, no-cache');
    expect(headers).not.toHaveProperty('expires');
    expect(headers).not.toHaveProperty('vary');
  }
  await as().expect(stranger.text);
  await as('Ann').expect(ann.text);
  expect(calls()).toBe(2);
});

const STATE = ['cookies', 'signedCookies', 'session', 'sessionID', 'user', 'auth', 'currentUser'];

describe.each(STATE)('a page for which req.%s was read', (name) => {
  const look: Look = (req) => JSON.stringify((req as unknown as Record<string, unknown>)[name]);
  /** What middleware made of the visitor, in a header that it reads before the look-up. */
  const know: express.RequestHandler = (req, _res, next) => {
    const visitor = req.headers['x-visitor'];
    if (visitor === 'undefined') Object.assign(req, { [name]: undefined });
    else if (visitor !== undefined) Object.assign(req, { [name]: { visitor } });
    next();
  };
  const PRIVATE = 'private, no-cache';

  test('has a variant for each value, and one for who has none', async () => {
    const { app, calls } = site(look, {}, [know]);
    const as = (visitor: string) => visit(app, '/page').set('X-Visitor', visitor);
    const shown: Record<string, string> = { Ann: '{"visitor":"Ann"}', Bob: '{"visitor":"Bob"}' };
    for (const _visit of [1, 2]) {
      await visit(app, '/page').expect('undefined').expect('Cache-Control', 'max-age=600');
      await as('undefined').expect('undefined').expect('Cache-Control', PRIVATE);
      for (const visitor of ['Ann', 'Bob']) {
        const { headers } = await as(visitor).expect(shown[visitor]!);
        expect(headers).toMatchObject({ 'cache-control': PRIVATE, vary: 'X-Visitor' });
        expect(headers).not.toHaveProperty('expires');
      }
    }
    expect(calls()).toBe(3);
  });

  test('is private for all where nobody saw what that was made of', async () => {
    let calls = 0;
    const app = express();
    app.use(know, updateCache(), fetchFromCache());
    app.get('/page', (req, res) => {
      calls += 1;
      res.end(String(look(req, res)));
    });
    const as = (visitor: string) => visit(app, '/page').set('X-Visitor', visitor);
    await as('Ann').expect('{"visitor":"Ann"}');
    for (const _visit of [1, 2]) {
      const { headers } = await visit(app, '/page').expect('undefined');
      expect(headers['cache-control']).toBe(PRIVATE);
      expect(headers).not.toHaveProperty('expires');
      expect(headers).not.toHaveProperty('vary');
      await as('Ann').expect('{"visitor":"Ann"}').expect('Cache-Control', PRIVATE);
    }
    expect(calls).toBe(2);
  });
});

test.each<[string, Look]>([
  ['ip', (req) => req.ip],
  ['ips', (req) => req.ips],
  ['rawHeaders', (req) => req.rawHeaders.length],
  ['headersDistinct', (req) => req.headersDistinct.cookie],
  ['socket.remoteAddress', (req) => req.socket.remoteAddress],
])('a page for which req.%s was read is not stored, nor given freshness', async (_name, look) => {
  const { app, calls } = site(look);
  for (const _visit of [1, 2]) {
    const { headers } = await visit(app, '/page');
    expect(headers).not.toHaveProperty('cache-control');
    expect(headers).not.toHaveProperty('expires');
  }
  expect(calls()).toBe(2);
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

test('whoever goes through all headers has read those that are absent, too', async () => {
  const { app, calls } = site((req) => JSON.stringify({ ...req.headers, host: 0, connection: 0 }));
  const first = await visit(app, '/page').set({ 'X-Tenant': 'a', Accept: 'text/html' });
  expect(first.headers).toMatchObject({ 'cache-control': 'private, no-cache' });
  expect(first.headers).not.toHaveProperty('expires');
  await visit(app, '/page').set({ 'X-Tenant': 'a', Accept: 'text/html' }).expect(first.text);
  expect(calls()).toBe(1);
  const others = [{ 'X-Tenant': 'b' }, { 'X-New': '1', 'X-Tenant': 'a' }, {}] as const;
  for (const headers of others) {
    const { text } = await visit(app, '/page').set({ Accept: 'text/html', ...headers });
    expect(text).not.toBe(first.text);
    await visit(app, '/page')
      .set({ Accept: 'text/html', ...headers })
      .expect(text);
  }
  expect(calls()).toBe(4);
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

test('what middleware further out has read before does not count by itself', async () => {
  const look: express.RequestHandler = (req, res, next) => {
    res.locals.name = req.headers.cookie;
    next();
  };
  const { app, calls } = site(() => 'page', {}, [look]);
  for (const cookie of ['Ann', 'Bob']) {
    const { headers } = await visit(app, '/page').set('Cookie', cookie).expect('page');
    expect(headers).not.toHaveProperty('vary');
    expect(headers['cache-control']).toBe('max-age=600');
  }
  expect(calls()).toBe(1);
});

test('it counts, by its value, where handlers look at what was made of it', async () => {
  const look: express.RequestHandler = (req, res, next) => {
    // A part of the header: those who share it share the page.
    res.locals.name = /name=(\w+)/.exec(req.headers.cookie ?? '')?.[1];
    next();
  };
  const { app, calls } = site((_req, res) => `hello ${res.locals.name}`, {}, [look]);
  const as = (cookie: string) => visit(app, '/page').set('Cookie', cookie);
  await as('name=Ann; id=1').expect('hello Ann').expect('Vary', 'Cookie');
  await as('name=Ann; id=2').expect('hello Ann').expect('Cache-Control', 'private, no-cache');
  await as('name=Bob; id=1').expect('hello Bob');
  for (const _visit of [1, 2]) {
    const { headers } = await visit(app, '/page').expect('hello undefined');
    expect(headers).toMatchObject({ vary: 'Cookie', 'cache-control': 'max-age=600' });
  }
  await as('id=3').expect('hello undefined').expect('Cache-Control', 'private, no-cache');
  expect(calls()).toBe(3);
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
