// Pages that show or change what the session keeps.
import { enterSession, putIn, sessions, userInLocals } from './packages';
import {
  expectOwn,
  expectShared,
  type Handler,
  INSIDE,
  type Loose,
  type Middleware,
  type Mount,
  openSite,
  type Place,
  row,
  type Site,
  urlencoded,
  useful,
  useRealApps,
  Visitor,
} from './support';

const cookieParser: Loose = require('cookie-parser');
const cookieSession: Loose = require('cookie-session');
const csurf: Loose = require('csurf');
const { csrfSync }: Loose = require('csrf-sync');
const flash: Loose = require('connect-flash');
const onHeaders: Loose = require('on-headers');

useRealApps();

const same = () => 'the same for all';

/** What is the same for all stays so, whoever has a session. */
async function expectSameShared({ mount }: Place, site: Site, ...more: Visitor[]): Promise<void> {
  if (!INSIDE.includes(mount)) return;
  const visitors = [...more, new Visitor(site), new Visitor(site, { cookies: { _ga: '1' } })];
  await expectShared(site, visitors);
}

const SESSIONS: Record<string, () => Middleware> = {
  'express-session': sessions,
  'cookie-session': () => cookieSession({ keys: ['k'] }),
};

/** The cookie of cookie-session is the session: what reads the cookie reads its state. */
const heldOf = (name: string, ofCookies: readonly Mount[], others: readonly Mount[] = []) => ({
  held: name === 'cookie-session' ? ofCookies : others,
});

describe('A6: data of the session', () => {
  for (const [name, make] of Object.entries(SESSIONS)) {
    row(
      `A6 ${name}: after a logout, the next visit shows it`,
      heldOf(name, ['pair', 'after', 'page', 'app']),
      async (place) => {
        const site = await openSite({
          ...place,
          middleware: [make()],
          routes: {
            'POST /login': (req, res) => {
              enterSession!(req, res, req.query.u);
              return 'in';
            },
            // The cookie of express-session stays.
            'POST /destroy': (req, res) => {
              if (req.session.destroy) req.session.destroy(() => res.send('out'));
              else {
                req.session = null;
                return 'out';
              }
              return undefined;
            },
            'POST /forget': (req) => {
              delete req.session.user;
              return 'out';
            },
            'GET /account': (req, res) =>
              req.session.user ? `balance of ${req.session.user}` : void res.sendStatus(401),
            'GET /same': same,
          },
        });
        for (const way of ['/destroy', '/forget']) {
          const ann = new Visitor(site);
          await ann.post('/login?u=ann');
          for (let visits = 0; visits < 2; visits += 1) {
            const account = await ann.get('/account');
            expect(account.text).toBe('balance of ann');
            expectOwn(account);
          }
          await ann.post(way);
          expect((await ann.get('/account')).status).toBe(401);
          await ann.post('/login?u=bob');
          expect(await ann.text('/account')).toBe('balance of bob');
        }
        await expectSameShared(place, site, new Visitor(site));
      },
    );

    row(`A6 ${name}: what is put into the cart is in it`, heldOf(name, ['app']), async (place) => {
      const site = await openSite({
        ...place,
        middleware: [
          make(),
          putIn((req, res) => (res.locals.inCart = req.session.cart?.length ?? 0)),
        ],
        routes: {
          'POST /add': (req) => {
            // In place: the session's field stays the same array.
            req.session.cart ??= [];
            req.session.cart.push(req.query.item);
            return 'added';
          },
          'GET /cart': (req) => `cart: ${(req.session.cart ?? []).join()}`,
          'GET /': (_req, res) => `in the cart: ${res.locals.inCart}`,
          'GET /same': same,
        },
      });
      const [ann, bob, stranger] = [new Visitor(site), new Visitor(site), new Visitor(site)];
      for (const [i, item] of ['pen', 'ink', 'hat'].entries()) {
        await ann.post(`/add?item=${item}`);
        const items = ['pen', 'ink', 'hat'].slice(0, i + 1);
        for (let visits = 0; visits < 2; visits += 1) {
          expect(await ann.text('/cart')).toBe(`cart: ${items.join()}`);
          expect(await ann.text('/')).toBe(`in the cart: ${i + 1}`);
          expect(await stranger.text('/cart')).toBe('cart: ');
          expect(await stranger.text('/')).toBe('in the cart: 0');
        }
      }
      await bob.post('/add?item=pen');
      expect(await bob.text('/cart')).toBe('cart: pen');
      if (!INSIDE.includes(place.mount)) return;
      // Each state once; Bob's is one that Ann has had.
      useful(() => expect(site.renders).toMatchObject({ '/cart': 4, '/': 4 }));
      await expectSameShared(place, site, ann, bob, stranger);
    });
  }
});

describe('A7: flash messages', () => {
  const flashRoutes = {
    'POST /save': (req: Loose, res: Loose) => {
      req.flash('info', `saved for ${req.query.u}`);
      res.redirect(303, '/list');
    },
    'GET /same': same,
  };
  const APPS: Record<string, { more: Middleware[]; show: Handler; held: readonly Mount[] }> = {
    'in locals before the look-up': {
      more: [
        putIn((req, res) => {
          if (req.method === 'GET' && req.path === '/list') res.locals.info = req.flash('info');
        }),
      ],
      show: (_req, res) => `list ${res.locals.info.join()}`,
      held: ['app'],
    },
    'read by the handler': {
      more: [],
      show: (req) => `list ${req.flash('info').join()}`,
      held: ['pair', 'after', 'app'],
    },
  };
  for (const [name, { more, show, held }] of Object.entries(APPS)) {
    for (const [store, make] of Object.entries(SESSIONS)) {
      row(`A7 connect-flash ${name}, ${store}: shown once`, heldOf(store, held), async (place) => {
        const site = await openSite({
          ...place,
          middleware: [make(), flash(), ...more],
          routes: { ...flashRoutes, 'GET /list': show },
        });
        const [ann, bob, stranger] = [new Visitor(site), new Visitor(site), new Visitor(site)];
        await ann.get('/list');
        await stranger.get('/list');
        // The same message may come again.
        for (let times = 0; times < 3; times += 1) {
          await ann.post('/save?u=ann');
          expect(await stranger.text('/list')).toBe('list ');
          const message = await ann.get('/list');
          expect(message.text).toBe('list saved for ann');
          expectOwn(message);
          for (let visits = 0; visits < 2; visits += 1) {
            expect(await ann.text('/list')).toBe('list ');
          }
        }
        await bob.post('/save?u=bob');
        expect(await bob.text('/list')).toBe('list saved for bob');
        await expectSameShared(place, site, ann, bob, stranger);
      });
    }
  }
});

describe('A8: handlers that write the session', () => {
  for (const [name, make] of Object.entries(SESSIONS)) {
    row(
      `A8 ${name}: a visit counter counts each visit`,
      heldOf(name, ['pair', 'app']),
      async (place) => {
        const site = await openSite({
          ...place,
          middleware: [make()],
          routes: {
            'GET /count': (req) => {
              req.session.visits = (req.session.visits ?? 0) + 1;
              return `visit ${req.session.visits}`;
            },
            'GET /last': (req) => `so far ${req.session.visits ?? 0}`,
            'GET /same': same,
          },
        });
        const [ann, bob] = [new Visitor(site), new Visitor(site)];
        for (let visits = 1; visits <= 4; visits += 1) {
          const answer = await ann.get('/count');
          expect(answer.text).toBe(`visit ${visits}`);
          expectOwn(answer);
          expect(await ann.text('/last')).toBe(`so far ${visits}`);
        }
        expect(await bob.text('/count')).toBe('visit 1');
        expect(await bob.text('/last')).toBe('so far 1');
        expect(await ann.text('/count')).toBe('visit 5');
        await expectSameShared(place, site, ann, bob);
      },
    );

    row(
      `A8 ${name}: a token that the handler makes is kept`,
      { held: ['pair', 'after', 'app'] },
      async (place) => {
        let made = 0;
        const site = await openSite({
          ...place,
          middleware: [urlencoded(place.framework), make()],
          routes: {
            'GET /form': (req) => {
              req.session.csrf ??= `token-${++made}`;
              return `token=${req.session.csrf};`;
            },
            'POST /form': (req, res) => {
              const isRight = req.body.token === req.session.csrf;
              res.status(isRight ? 200 : 403).send(isRight ? 'sent' : 'refused');
            },
            'GET /same': same,
          },
        });
        const people = [new Visitor(site), new Visitor(site), new Visitor(site)];
        const tokens = new Set<string>();
        for (const who of [...people, ...people]) {
          const token = /token=([^;]+)/.exec(await who.text('/form'))![1]!;
          tokens.add(token);
          expect((await who.post('/form', { token })).text).toBe('sent');
        }
        expect(tokens.size).toBe(people.length);
        await expectSameShared(place, site, ...people);
      },
    );
  }

  const PROTECTIONS: Record<
    string,
    (place: Place) => { middleware: Middleware[]; tokenOf: (req: Loose) => string; field: string }
  > = {
    'csrf-sync': ({ framework }) => {
      const { csrfSynchronisedProtection, generateToken } = csrfSync({
        getTokenFromRequest: (req: Loose) => req.body?._csrf,
      });
      const middleware = [urlencoded(framework), sessions(), csrfSynchronisedProtection];
      return { middleware, tokenOf: generateToken, field: '_csrf' };
    },
    'csurf in the session': ({ framework }) => ({
      middleware: [urlencoded(framework), sessions(), csurf()],
      tokenOf: (req) => req.csrfToken(),
      field: '_csrf',
    }),
    'csurf in a cookie': ({ framework }) => ({
      middleware: [urlencoded(framework), cookieParser(), csurf({ cookie: true })],
      tokenOf: (req) => req.csrfToken(),
      field: '_csrf',
    }),
  };
  for (const [name, make] of Object.entries(PROTECTIONS)) {
    row(
      `A8 ${name}: each visitor's form is accepted`,
      { held: name === 'csurf in a cookie' ? ['app'] : ['pair', 'app'] },
      async (place) => {
        const { middleware, tokenOf, field } = make(place);
        const site = await openSite({
          ...place,
          middleware,
          routes: {
            'GET /contact': (req) => `token=${tokenOf(req)};`,
            'POST /contact': () => 'sent',
            'GET /same': same,
          },
        });
        const tokens = new Set<string>();
        const people = [new Visitor(site), new Visitor(site)];
        for (const who of [...people, ...people]) {
          const page = await who.get('/contact');
          expectOwn(page);
          const token = /token=([^;]+)/.exec(page.text)![1]!;
          tokens.add(token);
          expect((await who.post('/contact', { [field]: token })).text).toBe('sent');
          // Somebody who never sends the form.
          await new Visitor(site).get('/contact');
        }
        expect(tokens.size).toBeGreaterThanOrEqual(people.length);
        // csurf sets its cookie at the first visit, of any page.
        if (name !== 'csurf in a cookie') await expectSameShared(place, site, ...people);
      },
    );
  }
});

describe('A9: cachePage within a session', () => {
  const OUTSIDE = { mounts: ['page', 'after'] as const };

  for (const [name, make] of Object.entries(SESSIONS)) {
    row(`A9 ${name}: a cookie that is set as the head goes out`, OUTSIDE, async (place) => {
      const site = await openSite({
        ...place,
        middleware: [make()],
        routes: {
          'GET /start': (req) => {
            req.session.startedBy = 'a visit';
            return 'welcome';
          },
          'GET /same': same,
        },
      });
      const cookies = new Set<string>();
      for (let visits = 0; visits < 4; visits += 1) {
        const answer = await new Visitor(site).get('/start');
        expect(answer.headers['set-cookie']).toBeDefined();
        expectOwn(answer);
        cookies.add(String(answer.headers['set-cookie']));
      }
      // Those of cookie-session say the same, as their contents are the same.
      if (name === 'express-session') expect(cookies.size).toBe(4);
      await expectSameShared(place, site);
    });
  }

  row(
    'A9 a session that every visitor gets',
    { ...OUTSIDE, held: OUTSIDE.mounts },
    async (place) => {
      const site = await openSite({
        ...place,
        middleware: [sessions({ saveUninitialized: true }), userInLocals],
        routes: { 'GET /same': same },
      });
      const cookies = new Set<string>();
      for (let visits = 0; visits < 4; visits += 1) {
        cookies.add(String((await new Visitor(site).get('/same')).headers['set-cookie']));
      }
      expect(cookies.size).toBe(4);
      // Visitors who have their cookie make it storable.
      const known = new Visitor(site);
      await known.get('/same');
      await known.get('/same');
      site.renders['/same'] = 0;
      await known.get('/same');
      const late = await new Visitor(site).get('/same');
      useful(() => expect(site.renders['/same']).toBe(0));
      expect(late.headers['set-cookie']).toBeDefined();
    },
  );

  const FORBIDDING: Record<string, (res: Loose) => void> = {
    'Set-Cookie': (res) => res.cookie('seen', String(Math.random())),
    'Cache-Control: private': (res) => res.set('Cache-Control', 'private'),
    'Cache-Control: no-store': (res) => res.set('Cache-Control', 'no-store'),
    'Vary: *': (res) => res.set('Vary', '*'),
  };
  for (const [name, forbid] of Object.entries(FORBIDDING)) {
    row(`A9 ${name}, added as the head goes out`, OUTSIDE, async (place) => {
      // What no cache can see, but for the head that goes out.
      const visitors = new WeakMap<object, string>();
      const site = await openSite({
        ...place,
        middleware: [
          (req, res, next) => {
            visitors.set(res, req.headers['x-user']);
            onHeaders(res, () => {
              if (req.path !== '/same') forbid(res);
            });
            next();
          },
        ],
        routes: { 'GET /': (_req, res) => `Hello ${visitors.get(res)}`, 'GET /same': same },
      });
      for (const name of ['ann', 'bob', 'ann']) {
        const answer = await new Visitor(site, { headers: { 'X-User': name } }).get('/');
        expect(answer.text).toBe(`Hello ${name}`);
      }
      await expectSameShared(place, site);
    });
  }

  row('A9 Vary, added as the head goes out', OUTSIDE, async (place) => {
    const themes = new WeakMap<object, string>();
    const site = await openSite({
      ...place,
      middleware: [
        (req, res, next) => {
          themes.set(res, req.headers['x-theme']);
          onHeaders(res, () => res.vary('X-Theme'));
          next();
        },
      ],
      routes: { 'GET /': (_req, res) => `in ${themes.get(res)}`, 'GET /same': same },
    });
    const [dark, light] = ['dark', 'light'].map(
      (theme) => new Visitor(site, { headers: { 'X-Theme': theme } }),
    ) as [Visitor, Visitor];
    for (const who of [dark, light, dark, light]) {
      expect(await who.text('/')).toBe(`in ${who === dark ? 'dark' : 'light'}`);
    }
    useful(() => expect(site.renders['/']).toBe(2));
  });
});
