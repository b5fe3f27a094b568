// Middleware leaves the visitor on the request, the handler shows it, and nothing says `Vary`.
import { ENGINES, viewsOf } from '../real-apps/engines';
import { putIn, sessions, userInLocals } from '../real-apps/packages';
import {
  cookieOf,
  expectOwn,
  type Handler,
  INSIDE,
  type Loose,
  type Middleware,
  openSite,
  type Place,
  row,
  type Site,
  urlencoded,
  useful,
  useRealApps,
  Visitor,
  wholeOf,
} from '../real-apps/support';

const cookieSession: Loose = require('cookie-session');
const jwt: Loose = require('jsonwebtoken');
const { expressjwt }: Loose = require('express-jwt');
const i18next: Loose = require('i18next');
const { handle, LanguageDetector }: Loose = require('i18next-http-middleware');
const { Passport }: Loose = require('passport');
const { Strategy }: Loose = require('passport-local');

useRealApps();

const MOUNTS = { mounts: ['pair', 'page', 'app', 'before'] } as const;

/** A way to be logged in. */
interface Login {
  readonly middleware: (place: Place) => readonly Middleware[];
  readonly enter: Handler;
  readonly leave: Handler;
  readonly show: Handler;
}

const nameIn = (req: Loose) => String(req.query.u);

function passport(): Login {
  const users = new Passport();
  users.use(new Strategy((name: string, _: string, done: Loose) => done(null, { name })));
  users.serializeUser((user: Loose, done: Loose) => done(null, user.name));
  users.deserializeUser((name: string, done: Loose) => done(null, { name }));
  return {
    middleware: ({ framework }) => [
      urlencoded(framework),
      sessions(),
      users.initialize(),
      users.session(),
    ],
    enter: (req) => new Promise((done) => req.login({ name: nameIn(req) }, () => done('in'))),
    leave: (req) => new Promise((done) => req.logout(() => done('out'))),
    show: (req) => `Hello ${req.user?.name ?? 'guest'}`,
  };
}

const token = (name: string) => jwt.sign({ name }, 'k', { noTimestamp: true });

const LOGINS: Record<string, () => Login> = {
  'express-session, in res.locals': () => ({
    middleware: () => [sessions(), userInLocals],
    enter: (req) => (req.session.user = nameIn(req)),
    // The cookie stays, and the session with it.
    leave: (req) => {
      req.session.user = undefined;
      return 'out';
    },
    show: (_req, res) => `Hello ${res.locals.user ?? 'guest'}`,
  }),
  'express-session that is destroyed': () => ({
    middleware: () => [sessions()],
    enter: (req) => (req.session.user = nameIn(req)),
    leave: (req) => new Promise((done) => req.session.destroy(() => done('out'))),
    show: (req) => `Hello ${req.session.user ?? 'guest'}`,
  }),
  'cookie-session': () => ({
    middleware: () => [cookieSession({ keys: ['k'] })],
    enter: (req) => (req.session.user = nameIn(req)),
    leave: (req) => {
      req.session = null;
      return 'out';
    },
    show: (req) => `Hello ${req.session.user ?? 'guest'}`,
  }),
  passport,
  'express-jwt': () => ({
    middleware: () => [
      expressjwt({
        ...{ secret: 'k', algorithms: ['HS256'], credentialsRequired: false },
        getToken: (req: Loose) => cookieOf(req, 'jwt'),
      }),
    ],
    enter: (req, res) => void res.cookie('jwt', token(nameIn(req))).send('in'),
    leave: (_req, res) => void res.clearCookie('jwt').send('out'),
    show: (req) => `Hello ${req.auth?.name ?? 'guest'}`,
  }),
};

function open(
  place: Place,
  { middleware, enter, leave, show }: Login,
  setup?: (app: Loose) => void,
) {
  return openSite({
    ...place,
    middleware: middleware(place),
    ...(setup && { setup }),
    routes: {
      'POST /login': enter,
      'POST /logout': leave,
      'GET /me': show,
      'GET /other': show,
      'GET /about': () => 'about us',
    },
  });
}

async function expectGreets(who: Visitor, path: string, name: string): Promise<void> {
  const answer = await who.get(path);
  expect(answer.text).toBe(`Hello ${name}`);
  for (const other of ['mallory', 'ann', 'guest'].filter((each) => each !== name)) {
    expect(wholeOf(answer)).not.toContain(other);
  }
  if (name !== 'guest') expectOwn(answer);
}

/** Mallory stores her page; Ann logs in and out; strangers come in between. */
async function attack(place: Place, site: Site): Promise<void> {
  const [mallory, ann] = [new Visitor(site), new Visitor(site)];
  await mallory.post('/login?u=mallory');
  for (const path of ['/me', '/me']) await expectGreets(mallory, path, 'mallory');

  await expectGreets(new Visitor(site), '/me', 'guest');
  await expectGreets(ann, '/me', 'guest');
  await ann.post('/login?u=ann');
  for (const path of ['/me', '/other', '/me', '/other']) await expectGreets(ann, path, 'ann');
  // Another user at the same browser, then nobody.
  await ann.post('/login?u=mallory');
  await expectGreets(ann, '/me', 'mallory');
  await ann.post('/logout');
  for (const path of ['/me', '/other', '/me']) await expectGreets(ann, path, 'guest');
  await expectGreets(mallory, '/me', 'mallory');

  const strangers = [1, 2, 3].map((id) => new Visitor(site, { cookies: { _ga: `GA1.${id}` } }));
  const [me, about] = [site.renders['/me'], site.renders['/about'] ?? 0];
  for (const who of strangers) await expectGreets(who, '/me', 'guest');
  for (const who of [...strangers, ann, mallory]) expect(await who.text('/about')).toBe('about us');
  if (!INSIDE.includes(place.mount)) return;
  useful(() => expect(site.renders['/me']).toBe(me));
  useful(() => expect(site.renders['/about']).toBe(about + 1));
}

for (const [name, make] of Object.entries(LOGINS)) {
  row(`33 ${name}: nobody is shown another, before or after a logout`, MOUNTS, async (place) => {
    await attack(place, await open(place, make()));
  });
}

for (const name of ['EJS 7', 'Pug', 'Nunjucks']) {
  row(`33 ${name}: a view shows nobody another`, MOUNTS, async (place) => {
    const login = LOGINS['express-session, in res.locals']!();
    const show: Handler = (_req, res) => res.render('me');
    await attack(place, await open(place, { ...login, show }, viewsOf(ENGINES[name]!)));
  });
}

row('33 i18next: nobody is shown the language of another', MOUNTS, async (place) => {
  const words = i18next.createInstance();
  await words.use(LanguageDetector).init({
    ...{ fallbackLng: 'en', supportedLngs: ['en', 'de'], preload: ['en', 'de'] },
    detection: { order: ['cookie', 'header'], caches: false },
    resources: { en: { translation: { hi: 'Hello' } }, de: { translation: { hi: 'Hallo' } } },
  });
  const site = await openSite({
    ...place,
    middleware: [handle(words), putIn((req, res) => (res.locals.hi = req.t('hi')))],
    routes: { 'GET /': (req) => req.t('hi'), 'GET /locals': (_req, res) => res.locals.hi },
  });
  const attacker = new Visitor(site, { headers: { 'Accept-Language': 'de' } });
  const victims = [
    new Visitor(site),
    new Visitor(site, { headers: { 'Accept-Language': 'en' } }),
    new Visitor(site, { headers: { 'Accept-Language': 'de' }, cookies: { i18next: 'en' } }),
  ];
  for (const path of ['/', '/locals']) {
    expect(await attacker.text(path)).toBe('Hallo');
    for (const who of [...victims, ...victims]) expect(await who.text(path)).toBe('Hello');
    expect(await attacker.text(path)).toBe('Hallo');
  }
  if (!INSIDE.includes(place.mount)) return;
  useful(() => expect(site.renders).toMatchObject({ '/': 2, '/locals': 2 }));
});
