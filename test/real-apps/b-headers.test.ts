// Response headers that belong to one request.
import { randomBytes, randomUUID } from 'node:crypto';

import { putIn, sessions } from './packages';
import {
  type Answer,
  cookieOf,
  INSIDE,
  type Loose,
  type Middleware,
  openSite,
  type RowOptions,
  row,
  urlencoded,
  useful,
  useRealApps,
  Visitor,
} from './support';

const cors: Loose = require('cors');
const csurf: Loose = require('csurf');
const helmet: Loose = require('helmet');
const onHeaders: Loose = require('on-headers');
const { rateLimit }: Loose = require('express-rate-limit');
const responseTime: Loose = require('response-time');
const serverTiming: Loose = require('server-timing');

useRealApps();

const HELD_INSIDE: RowOptions = { mounts: INSIDE, held: ['pair', 'after', 'page'] };

const requestId: Middleware = putIn((req, res) => {
  req.id = randomUUID();
  res.set('X-Request-Id', req.id);
});

/** How often a field is there. */
function countOf({ lines }: Answer, name: string): number {
  return lines.filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`)).length;
}

describe('B1: fields that were set before the look-up', () => {
  row(
    'B1 a request id and the rate limit are of this request',
    { mounts: INSIDE },
    async (place) => {
      const limiter = rateLimit({
        ...{ windowMs: 60_000, limit: 5, standardHeaders: true, legacyHeaders: true },
        validate: false,
      });
      const site = await openSite({
        ...place,
        middleware: [requestId, limiter],
        routes: { 'GET /same': () => 'the same for all' },
      });
      const answers: Answer[] = [];
      for (let visits = 0; visits < 6; visits += 1) {
        answers.push(await new Visitor(site).get('/same'));
      }
      expect(
        answers.map(({ status, headers }) => [status, headers['ratelimit-remaining']]),
      ).toEqual([...['4', '3', '2', '1', '0'].map((left) => [200, left]), [429, '0']]);
      expect(answers.map(({ headers }) => headers['x-ratelimit-remaining'])).toEqual([
        '4',
        '3',
        '2',
        '1',
        '0',
        '0',
      ]);
      const ids = answers.map(({ headers }) => headers['x-request-id']);
      expect(new Set(ids).size).toBe(6);
      expect(ids).not.toContain(undefined);
      for (const answer of answers) expect(countOf(answer, 'X-Request-Id')).toBe(1);
      useful(() => expect(site.renders['/same']).toBe(1));
    },
  );

  row('B1 a name and a CSRF token stay with their visitor', { mounts: INSIDE }, async (place) => {
    const site = await openSite({
      ...place,
      middleware: [
        urlencoded(place.framework),
        sessions(),
        (req, res, next) => {
          if (req.path !== '/login') return next();
          req.session.user = new URL(req.url, 'http://x').searchParams.get('u');
          return res.end('in');
        },
        csurf(),
        putIn((req, res) => {
          if (!req.session.user) return;
          res.set({ 'X-User': req.session.user, 'X-CSRF-Token': req.csrfToken() });
        }),
      ],
      routes: { 'GET /same': () => 'the same for all', 'POST /save': () => 'saved' },
    });
    const [ann, bob, stranger] = [new Visitor(site), new Visitor(site), new Visitor(site)];
    await ann.post('/login?u=ann');
    await bob.post('/login?u=bob');
    // csurf puts its secret into the session at the first visit.
    for (const who of [ann, bob, stranger]) await who.get('/nowhere');
    for (const who of [ann, bob, stranger, bob, ann]) {
      const { headers } = await who.get('/same');
      const name = who === ann ? 'ann' : who === bob ? 'bob' : undefined;
      expect(headers['x-user']).toBe(name);
      if (name === undefined) expect(headers['x-csrf-token']).toBeUndefined();
      else {
        const _csrf = String(headers['x-csrf-token']);
        expect((await who.post('/save', { _csrf })).text).toBe('saved');
      }
    }
    useful(() => expect(site.renders['/same']).toBe(1));
  });

  row('B1 what middleware adds as the head goes out', HELD_INSIDE, async (place) => {
    const site = await openSite({
      ...place,
      middleware: [
        (req, res, next) => {
          onHeaders(res, () => res.setHeader('X-Viewer', cookieOf(req, 'u') ?? 'guest'));
          next();
        },
      ],
      routes: { 'GET /same': () => 'the same for all' },
    });
    const [ann, bob] = ['ann', 'bob'].map((u) => new Visitor(site, { cookies: { u } }));
    for (const who of [ann!, bob!, new Visitor(site), ann!]) {
      const { headers } = await who.get('/same');
      expect(headers['x-viewer']).toBe(who.jar.get('u') ?? 'guest');
    }
    useful(() => expect(site.renders['/same']).toBe(1));
  });

  row('B1 a cookie that middleware sets before the look-up', HELD_INSIDE, async (place) => {
    const site = await openSite({
      ...place,
      middleware: [
        (req, res, next) => {
          if (!cookieOf(req, 'cart')) res.cookie('cart', randomUUID());
          next();
        },
      ],
      routes: { 'GET /same': () => 'the same for all' },
    });
    const known = () => new Visitor(site, { cookies: { cart: randomUUID() } });
    await new Visitor(site).get('/same');
    await known().get('/same');
    const carts = new Set<string>();
    for (let visits = 0; visits < 3; visits += 1) {
      const answer = await new Visitor(site).get('/same');
      carts.add(String(answer.headers['set-cookie']));
      expect((await known().get('/same')).headers['set-cookie']).toBeUndefined();
    }
    expect(carts.size).toBe(3);
    expect([...carts]).not.toContain('undefined');
    useful(() => expect(site.renders['/same']).toBeLessThanOrEqual(2));
  });
});

describe('B2: fields of one request that are set inside cacheApp', () => {
  const FIELDS: Record<string, () => string> = {
    'X-Request-Id': randomUUID,
    'X-Correlation-Id': randomUUID,
    Traceparent: () => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`,
    'Server-Timing': () => `db;dur=${Math.random()}`,
    'X-Response-Time': () => `${Math.random()}ms`,
    RateLimit: () => `"default";r=${Math.random()};t=60`,
    'RateLimit-Remaining': () => String(Math.random()),
    'RateLimit-Policy': () => `"default";q=${Math.random()};w=60`,
    'X-RateLimit-Remaining': () => String(Math.random()),
    'Retry-After': () => String(Math.ceil(Math.random() * 100)),
  };
  for (const [name, make] of Object.entries(FIELDS)) {
    row(`B2 ${name} is not stored, the rest of the page is`, { mounts: ['app'] }, async (place) => {
      const site = await openSite({
        ...place,
        middleware: [putIn((_req, res) => res.set(name, make()))],
        routes: {
          'GET /same': (_req, res) => {
            res.set('X-Page', 'one');
            return 'the same for all';
          },
        },
      });
      const first = await new Visitor(site).get('/same');
      expect(first.headers[name.toLowerCase()]).toBeDefined();
      for (let visits = 0; visits < 3; visits += 1) {
        const hit = await new Visitor(site, { cookies: { _ga: '1' } }).get('/same');
        expect(hit.headers[name.toLowerCase()]).not.toBe(first.headers[name.toLowerCase()]);
        expect(hit.headers['x-page']).toBe('one');
      }
      useful(() => expect(site.renders['/same']).toBe(1));
    });
  }

  row('B2 response-time and server-timing inside cacheApp', { mounts: ['app'] }, async (place) => {
    const site = await openSite({
      ...place,
      middleware: [responseTime(), serverTiming({ enabled: true })],
      routes: { 'GET /same': () => 'the same for all' },
    });
    const first = await new Visitor(site).get('/same');
    const second = await new Visitor(site).get('/same');
    for (const name of ['x-response-time', 'server-timing']) {
      expect(first.headers[name]).toBeDefined();
      useful(() => expect(second.headers[name]).toBeUndefined());
    }
    useful(() => expect(site.renders['/same']).toBe(1));
  });
});

describe('B3: helmet with a nonce', () => {
  const setNonce = putIn((_req, res) => (res.locals.nonce = randomBytes(16).toString('hex')));
  const helmetWith = (nonce: (req: Loose, res: Loose) => string): Middleware =>
    helmet({
      contentSecurityPolicy: {
        directives: {
          scriptSrc: ["'self'", (req: Loose, res: Loose) => `'nonce-${nonce(req, res)}'`],
        },
      },
    });
  const ORDERS: Record<string, Middleware[]> = {
    'the nonce in res.locals': [setNonce, helmetWith((_req, res) => res.locals.nonce)],
    'the nonce made by helmet’s directive': [
      helmetWith((_req, res) => {
        res.locals.nonce = randomBytes(16).toString('hex');
        return res.locals.nonce;
      }),
    ],
    'the nonce on req': [
      putIn((req) => (req.cspNonce = randomBytes(16).toString('hex'))),
      helmetWith((req) => req.cspNonce),
    ],
  };
  const nonceIn = ({ headers }: Answer) =>
    /'nonce-(\w+)'/.exec(String(headers['content-security-policy']))?.[1];
  for (const [name, middleware] of Object.entries(ORDERS)) {
    row(`B3 ${name}: header and page agree`, {}, async (place) => {
      const site = await openSite({
        ...place,
        middleware,
        routes: {
          'GET /with': (req, res) =>
            `<script nonce="${res.locals.nonce ?? req.cspNonce}">go()</script>`,
          'GET /same': () => 'the same for all',
        },
      });
      const nonces = new Set<string | undefined>();
      for (let visits = 0; visits < 12; visits += 1) {
        const answer = await new Visitor(site).get(visits % 3 === 2 ? '/same' : '/with');
        nonces.add(nonceIn(answer));
        if (visits % 3 !== 2) expect(answer.text).toContain(`nonce="${nonceIn(answer)}"`);
      }
      expect(nonces.size).toBe(12);
      expect(nonces).not.toContain(undefined);
      if (INSIDE.includes(place.mount)) useful(() => expect(site.renders['/same']).toBe(1));
    });
  }
});

describe('B4: cors outside', () => {
  const ORIGIN = 'https://spa.example';
  const corsOf = (options: object = {}): Middleware =>
    cors({ origin: [ORIGIN, 'https://other.example'], credentials: true, ...options });

  row('B4 a 304 has what the browser needs', { mounts: INSIDE }, async (place) => {
    const site = await openSite({
      ...place,
      middleware: [helmet(), requestId, corsOf({ exposedHeaders: ['X-Request-Id'] })],
      routes: { 'GET /same': (_req, res) => void res.json({ a: 1 }) },
    });
    const spa = new Visitor(site, { headers: { Origin: ORIGIN } });
    const first = await spa.get('/same');
    const { etag } = first.headers;
    for (const headers of [{ 'If-None-Match': String(etag) }, { 'If-None-Match': '*' }]) {
      const answer = await spa.get('/same', headers);
      expect(answer.status).toBe(304);
      expect(answer.body).toHaveLength(0);
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': ORIGIN,
        'access-control-allow-credentials': 'true',
        'access-control-expose-headers': 'X-Request-Id',
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.any(String),
        etag,
      });
      expect(answer.headers.vary).toMatch(/origin/i);
      expect(answer.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
      expect(answer.headers['content-type']).toBeUndefined();
      useful(() => expect(answer.headers.age).toMatch(/^\d+$/));
    }
    useful(() => expect(site.renders['/same']).toBe(1));
  });

  row('B4 each origin gets its own', { held: ['pair', 'after', 'page', 'app'] }, async (place) => {
    const site = await openSite({
      ...place,
      middleware: [corsOf()],
      routes: { 'GET /same': (_req, res) => void res.json({ a: 1 }) },
    });
    const origins = [ORIGIN, 'https://other.example', 'https://evil.example', undefined];
    for (const origin of [...origins, ...origins.toReversed()]) {
      const headers: Record<string, string> = origin === undefined ? {} : { Origin: origin };
      const answer = await new Visitor(site, { headers }).get('/same');
      const isAllowed = origin === ORIGIN || origin === 'https://other.example';
      expect(answer.headers['access-control-allow-origin']).toBe(isAllowed ? origin : undefined);
      expect(answer.text).toBe('{"a":1}');
    }
    useful(() => expect(site.renders['/same']).toBeLessThanOrEqual(4));
  });

  row('B4 a 304 inside cacheApp has the CORS fields, too', { mounts: ['app'] }, async (place) => {
    const site = await openSite({
      ...place,
      middleware: [corsOf()],
      routes: { 'GET /same': (_req, res) => void res.json({ a: 1 }) },
    });
    const spa = new Visitor(site, { headers: { Origin: ORIGIN } });
    const { etag } = (await spa.get('/same')).headers;
    const answer = await spa.get('/same', { 'If-None-Match': String(etag) });
    expect(answer.status).toBe(304);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
      vary: expect.stringMatching(/origin/i),
    });
    useful(() => expect(site.renders['/same']).toBe(1));
  });
});

describe('B5: fields that are added by several', () => {
  row(
    'B5 nothing is doubled on a hit',
    { mounts: INSIDE, held: ['after', 'page'] },
    async (place) => {
      const site = await openSite({
        ...place,
        middleware: [
          responseTime(),
          serverTiming({ enabled: true }),
          putIn((_req, res) => {
            res.append('Link', '</site.css>; rel=preload');
            res.append('X-Chain', 'outer');
            res.vary('Accept-Language');
          }),
        ],
        routes: {
          'GET /same': (_req, res) => {
            res.append('Link', '</page.css>; rel=preload');
            res.append('X-Chain', 'inner');
            res.vary('Accept');
            return 'the same for all';
          },
        },
      });
      for (let visits = 0; visits < 3; visits += 1) {
        const answer = await new Visitor(site).get('/same');
        expect(answer.headers.link).toBe('</site.css>; rel=preload, </page.css>; rel=preload');
        expect(answer.headers['x-chain']).toBe('outer, inner');
        expect(countOf(answer, 'X-Response-Time')).toBe(1);
        expect(countOf(answer, 'Server-Timing')).toBe(1);
        expect(String(answer.headers['x-response-time'])).toMatch(/^[\d.]+ms$/);
        const vary = String(answer.headers.vary).toLowerCase().split(/,\s*/);
        expect(vary.toSorted()).toEqual([...new Set(vary)].toSorted());
        expect(vary).toEqual(expect.arrayContaining(['accept-language', 'accept']));
      }
      useful(() => expect(site.renders['/same']).toBe(1));
    },
  );

  row('B5 what the handler removes is not there on a hit', { mounts: INSIDE }, async (place) => {
    const site = await openSite({
      ...place,
      middleware: [helmet(), putIn((_req, res) => res.set('X-Theme', 'dark'))],
      routes: {
        'GET /same': (_req, res) => {
          res.removeHeader('X-Frame-Options');
          res.set('X-Theme', 'light');
          return 'the same for all';
        },
      },
    });
    for (let visits = 0; visits < 3; visits += 1) {
      const { headers } = await new Visitor(site).get('/same');
      expect(headers['x-frame-options']).toBeUndefined();
      expect(headers['x-theme']).toBe('light');
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
    useful(() => expect(site.renders['/same']).toBe(1));
  });
});

row('B6 an origin’s Age counts on a hit', {}, async (place) => {
  const site = await openSite({
    ...place,
    routes: {
      'GET /same': (_req, res) => {
        res.set({ 'Cache-Control': 'public, max-age=100', Age: '40' });
        return 'from an origin';
      },
      'GET /old': (_req, res) => {
        res.set({ 'Cache-Control': 'public, max-age=100', Age: '100' });
        return 'from an origin';
      },
    },
  });
  await new Visitor(site).get('/same');
  const hit = await new Visitor(site).get('/same');
  const age = Number(hit.headers.age);
  expect(age).toBeGreaterThanOrEqual(40);
  expect(age).toBeLessThan(60);
  // The seconds of `cachePage` go before those of the page, as in Django.
  expect(hit.headers['cache-control']).toMatch(
    place.mount === 'page' ? /max-age=60/ : /max-age=100/,
  );
  if (hit.headers.expires !== undefined) {
    expect(Date.parse(hit.headers.expires) - Date.now()).toBeLessThanOrEqual(61_000);
  }
  useful(() => expect(site.renders['/same']).toBe(1));
  if (place.mount === 'page') return;
  // Stale when it came.
  for (let visits = 0; visits < 2; visits += 1) await new Visitor(site).get('/old');
  expect(site.renders['/old']).toBe(2);
});
