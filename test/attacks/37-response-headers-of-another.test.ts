// Fields of the attacker's response that middleware set before the look-up.
import { randomUUID } from 'node:crypto';
import { putIn, sessions } from '../real-apps/packages';
import {
  cookieOf,
  INSIDE,
  type Loose,
  openSite,
  row,
  useful,
  useRealApps,
  Visitor,
  wholeOf,
} from '../real-apps/support';

const csurf: Loose = require('csurf');
const { rateLimit }: Loose = require('express-rate-limit');

useRealApps();

row('37 fields of one response are never sent with another', { mounts: INSIDE }, async (place) => {
  const limiter = rateLimit({
    ...{ windowMs: 60_000, limit: 100, standardHeaders: true, legacyHeaders: true },
    ...{ validate: false, keyGenerator: (req: Loose) => cookieOf(req, 'u') ?? 'guest' },
  });
  const site = await openSite({
    ...place,
    middleware: [
      limiter,
      sessions({ saveUninitialized: true }),
      csurf(),
      putIn((req, res) => {
        res.set({ 'X-Request-Id': randomUUID(), 'X-User': cookieOf(req, 'u') ?? 'guest' });
        res.set('X-CSRF-Token', req.csrfToken());
      }),
    ],
    routes: { 'GET /news': () => 'the news', 'POST /save': () => 'saved' },
  });
  const mallory = new Visitor(site, { cookies: { u: 'mallory' } });
  const [ann, bob] = ['ann', 'bob'].map((u) => new Visitor(site, { cookies: { u } }));
  // A session that is new sets its cookie, which is a page of its own.
  for (const who of [mallory, ann!, bob!]) await who.get('/nowhere');
  const planted = await mallory.get('/news');
  const secrets = [planted.headers['x-request-id'], planted.headers['x-csrf-token'], 'mallory'];

  let remaining = 98;
  for (let visits = 0; visits < 3; visits += 1) {
    for (const [who, name] of [
      [ann!, 'ann'],
      [bob!, 'bob'],
    ] as const) {
      const { headers, text, ...rest } = await who.get('/news');
      expect(text).toBe('the news');
      for (const secret of secrets)
        expect(wholeOf({ headers, text, ...rest })).not.toContain(secret);
      secrets.push(headers['x-request-id']);
      expect(headers['x-user']).toBe(name);
      expect(headers['x-ratelimit-remaining']).toBe(String(remaining));
      // The token is the visitor's own: it opens their form.
      const token = { 'X-CSRF-Token': String(headers['x-csrf-token']) };
      const cookies = { cookies: Object.fromEntries(who.jar), headers: token };
      expect((await new Visitor(site, cookies).post('/save')).text).toBe('saved');
    }
    remaining -= 2;
  }
  useful(() => expect(site.renders['/news']).toBe(1));
});

const FIELDS: Record<string, () => string> = {
  'X-Request-Id': randomUUID,
  'X-Correlation-Id': randomUUID,
  'RateLimit-Remaining': () => String(Math.random()),
  'X-RateLimit-Remaining': () => String(Math.random()),
};

row(
  '37 inside cacheApp, fields of one response are not stored',
  { mounts: ['app'] },
  async (place) => {
    const site = await openSite({
      ...place,
      middleware: [
        putIn((_req, res) => {
          for (const [name, make] of Object.entries(FIELDS)) res.set(name, make());
        }),
      ],
      routes: { 'GET /news': () => 'the news' },
    });
    const planted = await new Visitor(site).get('/news');
    for (let visits = 0; visits < 3; visits += 1) {
      const answer = await new Visitor(site).get('/news');
      for (const name of Object.keys(FIELDS)) {
        expect(planted.headers[name.toLowerCase()]).toBeDefined();
        expect(wholeOf(answer)).not.toContain(planted.headers[name.toLowerCase()]);
      }
    }
    useful(() => expect(site.renders['/news']).toBe(1));
  },
);
