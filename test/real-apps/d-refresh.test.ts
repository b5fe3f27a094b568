// Stale pages are refreshed, whatever stands before them; nobody gets what was refreshed for another.
import { stopClock } from '../support/clock';
import { settled } from '../support/settled';
import { enterSession, putIn, sessions, userInLocals } from './packages';
import {
  cookieOf,
  INSIDE,
  type Loose,
  type Middleware,
  type Mount,
  openSite,
  row,
  useful,
  useRealApps,
  Visitor,
  wholeOf,
} from './support';

const helmet: Loose = require('helmet');
const jwt: Loose = require('jsonwebtoken');
const { expressjwt }: Loose = require('express-jwt');
const { rateLimit }: Loose = require('express-rate-limit');
const cookieSession: Loose = require('cookie-session');

useRealApps();
const clock = stopClock(Date.now());

const options = { seconds: 1, staleWhileRevalidate: 3600 };

/** Middleware that only lets real visitors pass, or leaves something on each of them. */
const GATES: Record<string, () => Middleware> = {
  nothing: () => (_req, _res, next) => next(),
  'express-session for all': () => sessions({ saveUninitialized: true }),
  'cookie-session': () => cookieSession({ keys: ['k'] }),
  'a redirect to https': () => (req, res, next) =>
    req.headers['x-forwarded-proto'] === 'https'
      ? next()
      : res.redirect(301, `https://${req.headers.host}${req.originalUrl}`),
  'an API key': () => (req, res, next) =>
    req.headers['x-api-key'] === 'k' ? next() : res.sendStatus(401),
  'express-jwt': () =>
    expressjwt({
      secret: 'k',
      algorithms: ['HS256'],
      getToken: (req: Loose) => cookieOf(req, 'jwt'),
    }),
  'a block of user agents': () => (req, res, next) =>
    req.headers['user-agent'] ? next() : res.sendStatus(403),
  'express-rate-limit': () =>
    rateLimit({ ...{ windowMs: 60_000, limit: 1000, legacyHeaders: false }, validate: false }),
  helmet: () => helmet(),
};

const PASS = {
  headers: { 'X-Forwarded-Proto': 'https', 'X-Api-Key': 'k', 'User-Agent': 'Browser/1' },
  cookies: { jwt: jwt.sign({ name: 'ann' }, 'k', { noTimestamp: true }) },
};

const HELD: Record<string, readonly Mount[]> = {
  nothing: ['pair', 'after', 'page'],
  'express-session for all': ['after', 'page'],
  'cookie-session': ['pair', 'after', 'page'],
  'express-rate-limit': ['pair', 'after', 'page'],
  helmet: ['pair', 'after', 'page'],
};

for (const [name, gate] of Object.entries(GATES)) {
  const held: readonly Mount[] = HELD[name] ?? [];
  row(
    `D7 behind ${name}, a stale page is rendered anew`,
    { mounts: INSIDE, held },
    async (place) => {
      let version = 0;
      const site = await openSite({
        ...place,
        options,
        middleware: [putIn((_req, res) => res.set('X-Gate', 'passed')), gate()],
        routes: { 'GET /': () => `v${++version}` },
      });
      const ann = new Visitor(site, PASS);
      const numberIn = (text: string) => Number(/^v(\d+)$/.exec(text)![1]);
      for (let visits = 0; visits < 2; visits += 1) {
        expect((await ann.get('/')).headers['x-gate']).toBe('passed');
      }
      for (let times = 0; times < 5; times += 1) {
        const old = numberIn(await ann.text('/'));
        clock.advance(2);
        // Whatever the first gets, the next gets a new one.
        await ann.get('/');
        await settled();
        expect(numberIn(await ann.text('/'))).toBeGreaterThan(old);
      }
      const before = version;
      for (let visits = 0; visits < 3; visits += 1) await ann.get('/');
      useful(() => expect(version).toBeLessThanOrEqual(before + 1));
    },
  );
}

const FORMS: Record<string, { middleware: () => Middleware[]; login: string }> = {
  'a session': { middleware: () => [sessions(), userInLocals], login: 'session' },
  'a JSON web token': {
    middleware: () => [
      putIn((req, res) => {
        const token = cookieOf(req, 'jwt');
        if (token) res.locals.user = jwt.verify(token, 'k').name;
      }),
    ],
    login: 'jwt',
  },
  'an API key': {
    middleware: () => [putIn((req, res) => (res.locals.user = req.headers['x-api-key']))],
    login: 'key',
  },
};

for (const [name, { middleware, login }] of Object.entries(FORMS)) {
  row(
    `D7 behind ${name}, nobody gets what was refreshed for another`,
    { held: ['app'] },
    async (place) => {
      let version = 0;
      const site = await openSite({
        ...place,
        options,
        middleware: middleware(),
        routes: {
          'POST /login': (req, res) => {
            enterSession!(req, res, req.query.u);
            return 'in';
          },
          'GET /': (_req, res) => `Hello ${res.locals.user ?? 'guest'}, v${++version}`,
        },
      });
      const people: [Visitor, string][] = [];
      for (const user of ['ann', 'bob', 'guest']) {
        const who = new Visitor(site);
        if (user !== 'guest' && login === 'session') await who.post(`/login?u=${user}`);
        if (user !== 'guest' && login === 'jwt') {
          who.jar.set('jwt', jwt.sign({ name: user }, 'k', { noTimestamp: true }));
        }
        if (user !== 'guest' && login === 'key') who.headers['X-Api-Key'] = user;
        people.push([who, user]);
      }
      const seen = new Map<string, number>();
      for (let times = 0; times < 6; times += 1) {
        for (const [who, user] of times % 2 === 0 ? people : people.toReversed()) {
          for (let visits = 0; visits < 2; visits += 1) {
            const answer = await who.get('/');
            expect(answer.text).toMatch(new RegExp(`^Hello ${user}, v\\d+$`));
            for (const other of ['ann', 'bob', 'guest'].filter((each) => each !== user)) {
              expect(wholeOf(answer)).not.toMatch(new RegExp(`\\b${other}\\b`));
            }
            const now = Number(/v(\d+)$/.exec(answer.text)![1]);
            expect(now).toBeGreaterThanOrEqual(seen.get(user) ?? 0);
            if (visits === 1 && times > 0)
              expect(now).toBeGreaterThan(seen.get(`before ${user}`) ?? 0);
            seen.set(user, now);
          }
          seen.set(`before ${user}`, seen.get(user)!);
        }
        clock.advance(2);
        await settled();
      }
    },
  );
}
