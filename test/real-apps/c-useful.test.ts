// What is the same for all is rendered once, in apps as people make them.
import http from 'node:http';
import { Writable } from 'node:stream';
import * as cachewright from 'cachewright';
import request from 'supertest';
import { catchWarnings } from '../support/process-warnings';
import { putIn } from './packages';
import {
  type Answer,
  ask,
  cookieOf,
  expectShared,
  type Handler,
  INSIDE,
  type Loose,
  type Middleware,
  type Mount,
  newApp,
  openSite,
  row,
  type Site,
  useful,
  useRealApps,
  Visitor,
} from './support';

const cookieParser: Loose = require('cookie-parser');
const i18next: Loose = require('i18next');
const { handle, LanguageDetector }: Loose = require('i18next-http-middleware');
const morgan: Loose = require('morgan');
const pinoHttp: Loose = require('pino-http');
const { rateLimit }: Loose = require('express-rate-limit');
const { createProxyMiddleware }: Loose = require('http-proxy-middleware');
const methodOverride: Loose = require('method-override');

useRealApps();
const warnings = catchWarnings();

/** Browsers that differ in what has no bearing on a page. */
function browsers(site: Site, count = 4): Visitor[] {
  return Array.from(
    { length: count },
    (_, i) =>
      new Visitor(site, {
        cookies: i % 2 === 0 ? {} : { _ga: `GA1.${i}` },
        headers: {
          ...{ 'User-Agent': `Browser/${i}`, Referer: `http://other.example/${i}` },
          // Fields that others do not send at all.
          ...(i % 2 === 0 ? { DNT: '1' } : { 'Sec-CH-UA': `"B";v="${i}"`, 'Sec-GPC': '1' }),
        },
      }),
  );
}

describe('C1: logs and limits', () => {
  /** Middleware that looks at each client, and how often it did. */
  const LOOKERS: Record<string, () => { middleware: Middleware; runs: () => number }> = {
    'morgan, combined': () => {
      let lines = 0;
      const stream = { write: () => (lines += 1) };
      return { middleware: morgan('combined', { stream }), runs: () => lines };
    },
    'morgan, dev': () => {
      let lines = 0;
      return {
        middleware: morgan('dev', { stream: { write: () => (lines += 1) } }),
        runs: () => lines,
      };
    },
    'morgan, immediate': () => {
      let lines = 0;
      const stream = { write: () => (lines += 1) };
      return { middleware: morgan('combined', { stream, immediate: true }), runs: () => lines };
    },
    'pino-http': () => {
      let lines = 0;
      return { middleware: pinoHttp({}, { write: () => (lines += 1) }), runs: () => lines };
    },
    'express-rate-limit': () => {
      let runs = 0;
      const limiter = rateLimit({
        ...{ windowMs: 60_000, limit: 100, standardHeaders: true, legacyHeaders: false },
        validate: false,
      });
      const middleware: Middleware = (req, res, next) => {
        runs += 1;
        return limiter(req, res, next);
      };
      return { middleware, runs: () => runs };
    },
  };

  for (const [name, make] of Object.entries(LOOKERS)) {
    // Of the pair, what is between the halves runs for every request, and always has.
    const options = { mounts: INSIDE, held: ['pair', 'after', 'page'] } as const;
    row(`C1 ${name}: it runs for each request, and pages are hits`, options, async (place) => {
      const { middleware, runs } = make();
      const site = await openSite({
        ...place,
        middleware: [middleware],
        routes: { 'GET /same': () => 'the same for all' },
      });
      const visitors = browsers(site);
      for (const who of visitors) expect(await who.text('/same')).toBe('the same for all');
      expect(runs()).toBe(visitors.length);
      useful(() => expect(site.renders['/same']).toBe(1));
    });
  }

  row('C1 several in `before`, in either order', { mounts: ['before'] }, async (place) => {
    const [log, pino, limit] = ['morgan, combined', 'pino-http', 'express-rate-limit'].map((name) =>
      LOOKERS[name]!(),
    );
    for (const order of [
      [log!, pino!, limit!],
      [limit!, log!, pino!],
    ]) {
      await cachewright.caches.default.clear();
      const site = await openSite({
        ...place,
        middleware: order.map(({ middleware }) => middleware),
        routes: { 'GET /same': () => 'the same for all', 'POST /save': () => 'saved' },
      });
      const before = log!.runs();
      for (const who of browsers(site)) await who.get('/same');
      expect((await new Visitor(site).post('/save')).text).toBe('saved');
      expect(log!.runs()).toBe(before + 5);
      useful(() => expect(site.renders['/same']).toBe(1));
    }
  });

  row('C1 `before` may answer by itself, per client', { mounts: ['before'] }, async (place) => {
    const limiter = rateLimit({
      ...{ windowMs: 60_000, limit: 2, standardHeaders: true, legacyHeaders: false },
      validate: false,
    });
    const site = await openSite({
      ...place,
      middleware: [limiter],
      routes: { 'GET /same': () => 'the same for all' },
    });
    const from = (address: string) => ask(site, '/same', { from: address });
    const seen: Answer[] = [];
    for (const address of ['127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.2']) {
      seen.push(await from(address));
    }
    expect(seen.map(({ status, headers }) => [status, headers['ratelimit-remaining']])).toEqual([
      [200, '1'],
      [200, '0'],
      [429, '0'],
      [200, '1'],
    ]);
    useful(() => expect(site.renders['/same']).toBe(1));
  });

  row(
    'C1 errors of `before` reach the handlers of the app',
    { mounts: ['before'] },
    async (place) => {
      const site = await openSite({
        ...place,
        middleware: [
          (req, _res, next) =>
            req.headers['x-bad'] ? next(Object.assign(new Error('bad'), { status: 400 })) : next(),
        ],
        routes: { 'GET /same': () => 'the same for all' },
      });
      for (const headers of [{}, { 'X-Bad': '1' }, {}, { 'X-Bad': '1' }] as Record<
        string,
        string
      >[]) {
        const answer = await new Visitor(site, { headers }).get('/same');
        const isBad = 'X-Bad' in headers;
        expect(answer.status === 200).toBe(!isBad);
        useful(() => expect(answer.status).toBe(isBad ? 400 : 200));
        useful(() => expect(answer.text).toBe(isBad ? 'Error: bad' : 'the same for all'));
      }
      useful(() => expect(site.renders['/same']).toBe(1));
    },
  );

  row(
    'C1 without `before`, it is told what was read, and by whom',
    { mounts: ['app'] },
    async (place) => {
      const site = await openSite({
        ...place,
        middleware: [LOOKERS['morgan, immediate']!().middleware],
        routes: { 'GET /same': () => 'the same for all', 'GET /also': () => 'the same for all' },
      });
      const outcomes: string[] = [];
      for (let visits = 0; visits < 20; visits += 1) {
        const answer = await new Visitor(site).get(visits % 2 === 0 ? '/same' : '/also');
        outcomes.push(answer.outcome);
        expect(answer.text).toBe('the same for all');
      }
      useful(() => {
        expect(outcomes.at(-1)).toMatch(/detail=identity/);
        expect(outcomes.at(-1)).toMatch(/input="?req\.(ip|connection|socket)/);
        // File paths are no business of visitors.
        expect(outcomes.join()).not.toMatch(/morgan/);
        // Once in the life of the process, which is the same for both.
        const told = warnings.filter(({ message }) => /morgan\/index\.js/.test(message));
        expect(told).toHaveLength(place.framework === 'Express 5' ? 1 : 0);
        for (const { message } of told) expect(message).toMatch(/before/);
      });
    },
  );
});

describe('C2: inputs that differ from run to run', () => {
  const APPS: Record<string, [middleware: () => Middleware[], show: Handler]> = {
    'a cookie, else Accept-Language': [
      () => [cookieParser()],
      (req) => req.cookies.lang ?? (req.acceptsLanguages('en', 'de') || 'none'),
    ],
    'the Cookie header, else Accept-Language': [
      () => [],
      (req) => cookieOf(req, 'lang') ?? (req.acceptsLanguages('en', 'de') || 'none'),
    ],
    'res.locals, else a header': [
      () => [
        putIn((req, res) => {
          const lang = cookieOf(req, 'lang');
          if (lang) res.locals.lang = lang;
        }),
      ],
      (req, res) => res.locals.lang ?? (req.acceptsLanguages('en', 'de') || 'none'),
    ],
  };
  for (const [name, [middleware, show]] of Object.entries(APPS)) {
    row(`C2 ${name}: visitors in turn hit`, {}, async (place) => {
      const site = await openSite({
        ...place,
        middleware: middleware(),
        routes: { 'GET /': show },
      });
      const speaking = (language: string, cookies: Record<string, string> = {}) =>
        new Visitor(site, { cookies, headers: { 'Accept-Language': language } });
      const people: [Visitor, string][] = [
        [speaking('en', { lang: 'de' }), 'de'],
        [speaking('en'), 'en'],
        [speaking('de'), 'de'],
      ];
      for (let visits = 0; visits < 30; visits += 1) {
        const [who, expected] = people[visits % 3]!;
        expect(await who.text('/')).toBe(expected);
      }
      useful(() => expect(site.renders['/']).toBeLessThanOrEqual(6));
    });
  }
});

row('C3 http-proxy-middleware: two browsers in turn hit', { held: [] }, async (place) => {
  let handled = 0;
  const origin = http.createServer((_req, res) => {
    handled += 1;
    res.setHeader('Cache-Control', 'public, max-age=60').end('from the origin');
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = origin.address() as { port: number };
    const proxy = createProxyMiddleware({ target: `http://127.0.0.1:${port}` });
    const site = await openSite({ ...place, last: [proxy] });
    const [one, two] = browsers(site, 2) as [Visitor, Visitor];
    for (let visits = 0; visits < 10; visits += 1) {
      for (const who of [one, two]) expect(await who.text('/page')).toBe('from the origin');
    }
    // It hands on all headers, so each browser has its own.
    useful(() => expect(handled).toBeLessThanOrEqual(3));
  } finally {
    origin.closeAllConnections();
    origin.close();
  }
});

row('C3 http-proxy-middleware with key.headers: browsers share', {}, async (place) => {
  const seen: string[] = [];
  const origin = http.createServer((req, res) => {
    seen.push(`${req.headers['accept-language']} ${req.headers['user-agent'] ?? '-'}`);
    res.setHeader('Cache-Control', 'public, max-age=60').end('from the origin');
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = origin.address() as { port: number };
    const proxy = createProxyMiddleware({ target: `http://127.0.0.1:${port}` });
    const options = { key: { headers: ['accept-language'] } };
    const site = await openSite({ ...place, options, last: [proxy] });
    for (const who of browsers(site, 6)) {
      expect((await who.get('/page', { 'Accept-Language': 'de' })).text).toBe('from the origin');
    }
    useful(() => expect(seen).toEqual(['de -']));
  } finally {
    origin.closeAllConnections();
    origin.close();
  }
});

row('C4 i18next that sets the language cookie', { mounts: INSIDE }, async (place) => {
  const own = i18next.createInstance();
  await own.use(LanguageDetector).init({
    ...{ fallbackLng: 'en', supportedLngs: ['en', 'de'], preload: ['en', 'de'] },
    detection: { order: ['cookie', 'header'], caches: ['cookie'] },
    resources: { en: { translation: { hi: 'Hello' } }, de: { translation: { hi: 'Hallo' } } },
  });
  const site = await openSite({
    ...place,
    middleware: [handle(own)],
    routes: { 'GET /': (req) => req.t('hi') },
  });
  const newcomer = (language: string) =>
    new Visitor(site, { headers: { 'Accept-Language': language } });
  for (const language of ['de', 'en', 'de']) {
    const answer = await newcomer(language).get('/');
    expect(answer.text).toBe(language === 'de' ? 'Hallo' : 'Hello');
    expect(String(answer.headers['set-cookie'])).toContain(`i18next=${language}`);
  }
  const before = site.renders['/']!;
  for (let visits = 0; visits < 6; visits += 1) {
    const language = visits % 2 === 0 ? 'de' : 'en';
    const who = new Visitor(site, { cookies: { i18next: language, _ga: String(visits) } });
    expect(await who.text('/')).toBe(language === 'de' ? 'Hallo' : 'Hello');
  }
  useful(() => expect(site.renders['/']! - before).toBeLessThanOrEqual(2));
});

row('C5 tracking parameters of links are ignored', {}, async (place) => {
  const site = await openSite({
    ...place,
    options: { key: { query: { ignore: 'tracking' } } },
    routes: {
      'GET /same': (req) => `the page ${req.query.page ?? 1}, ${Object.keys(req.query).join()}`,
    },
  });
  const links = [
    '',
    'utm_source=mail',
    'utm_source=x&utm_medium=y&utm_campaign=z',
    'utm_term=1&utm_content=2&utm_id=3',
    'gclid=abc',
    'fbclid=def',
    'msclkid=ghi',
    'mc_cid=1&mc_eid=2',
  ];
  for (const query of links) {
    const answer = await new Visitor(site).text(`/same?${query}`.replace(/\?$/, ''));
    // Handlers do not see them either, or one visitor's would be in the page of others.
    useful(() => expect(answer).toBe('the page 1, '));
  }
  useful(() => expect(site.renders['/same']).toBe(1));
  for (const query of ['page=2', 'page=2&utm_source=mail', 'gclid=1&page=2']) {
    expect(await new Visitor(site).text(`/same?${query}`)).toMatch(/^the page 2, /);
  }
  useful(() => expect(site.renders['/same']).toBe(2));
});

describe('C6: state that is the same for all', () => {
  const APPS: Record<string, [middleware: () => Middleware[], show: Handler, text: string]> = {
    'the name of the site in res.locals': [
      () => [putIn((_req, res) => Object.assign(res.locals, { siteName: 'Shop', year: 2026 }))],
      (_req, res) => `${res.locals.siteName} ${res.locals.year}`,
      'Shop 2026',
    ],
    'objects made anew for each request': [
      () => [putIn((_req, res) => (res.locals.nav = { items: [{ href: '/', text: 'Home' }] }))],
      (_req, res) => res.locals.nav.items[0].text,
      'Home',
    ],
    'a function that is the same for each request': [
      () => {
        const asset = (name: string) => `/static/${name}?v=3`;
        return [putIn((_req, res) => (res.locals.asset = asset))];
      },
      (_req, res) => res.locals.asset('site.css'),
      '/static/site.css?v=3',
    ],
    'a service on req': [
      () => {
        class Catalogue {
          readonly #rows = ['pen', 'ink'];
          all() {
            return this.#rows.join();
          }
        }
        const catalogue = new Catalogue();
        return [putIn((req) => (req.catalogue = catalogue))];
      },
      (req) => req.catalogue.all(),
      'pen,ink',
    ],
    'what is derived from the URL': [
      () => [putIn((req) => (req.section = req.path.split('/')[1]))],
      (req) => `section ${req.section}`,
      'section same',
    ],
    'a method that the page does not look at': [
      () => [methodOverride('X-HTTP-Method-Override'), methodOverride('_method')],
      () => 'the same for all',
      'the same for all',
    ],
    'the whole of res.locals': [
      () => [putIn((_req, res) => (res.locals.siteName = 'Shop'))],
      (_req, res) => JSON.stringify(res.locals),
      '{"siteName":"Shop"}',
    ],
  };
  for (const [name, [middleware, show, text]] of Object.entries(APPS)) {
    const held: Mount[] = ['pair', 'after', 'page', 'app'];
    if (name.startsWith('a method')) held.push('before');
    row(`C6 ${name}: a hit for all`, { held }, async (place) => {
      const site = await openSite({
        ...place,
        middleware: middleware(),
        routes: { 'GET /same': show },
      });
      // A function is known for a constant once it was met before.
      for (const who of [...browsers(site, 2), ...browsers(site)]) {
        expect(await who.text('/same')).toBe(text);
      }
      // What has private fields can be compared by nobody: it counts as a look at the headers.
      if (!name.includes('service')) useful(() => expect(site.renders['/same']).toBe(1));
    });
  }
});

row(
  'C8 supertest hits with a fixed host',
  { mounts: ['page', 'app', 'pair'], held: ['page', 'app', 'pair'] },
  async (place) => {
    let renders = 0;
    const app = newApp(place.framework);
    const { cacheApp, cachePage, fetchFromCache, updateCache } = cachewright as Loose;
    if (place.mount === 'pair') app.use(updateCache(), fetchFromCache());
    const onRoute = place.mount === 'page' ? [cachePage(60)] : [];
    app.get('/', ...onRoute, (_req: Loose, res: Loose) => {
      renders += 1;
      res.send('the same for all');
    });
    const listener = place.mount === 'app' ? cacheApp(app) : app;
    for (let visits = 0; visits < 3; visits += 1) {
      const { text } = await request(listener).get('/').set('Host', 'www.example.com');
      expect(text).toBe('the same for all');
    }
    useful(() => expect(renders).toBe(1));
  },
);

row(
  'C1 handlers that write to the log of pino-http',
  { mounts: INSIDE, held: ['pair', 'after', 'page'] },
  async (place) => {
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    const site = await openSite({
      ...place,
      middleware: [pinoHttp({}, sink)],
      routes: {
        'GET /same': (req, res) => {
          req.log.info('rendered');
          res.log.debug('rendered');
          return 'the same for all';
        },
      },
    });
    await expectShared(site, [new Visitor(site), new Visitor(site, { headers: { 'X-Any': '1' } })]);
  },
);
