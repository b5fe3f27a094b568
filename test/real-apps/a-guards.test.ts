// Guards behind the look-up, which go by what middleware before it has found out.
import { putIn, sessions } from './packages';
import {
  cookieOf,
  expectOwn,
  expectShared,
  type Handler,
  INSIDE,
  type Loose,
  type Middleware,
  openSite,
  row,
  useful,
  useRealApps,
  Visitor,
} from './support';

const jwt: Loose = require('jsonwebtoken');

useRealApps();

const roleOf = (req: Loose): string => {
  const token = cookieOf(req, 'token');
  return token ? jwt.verify(token, 'k').role : 'none';
};

const tokenFor = (role: string, id: number) => ({
  cookies: { token: jwt.sign({ role, id }, 'k', { noTimestamp: true }) },
});

/** How an app finds out the role, and how its guard tells those who may not pass. */
const GUARDS: Record<string, [find: Middleware, guard: Handler]> = {
  'req.role, 403': [
    putIn((req) => (req.role = roleOf(req))),
    (req, res) => (req.role === 'admin' ? 'let in' : void res.status(403).send('forbidden')),
  ],
  'res.locals.isAdmin, 404': [
    putIn((req, res) => (res.locals.isAdmin = roleOf(req) === 'admin')),
    (_req, res) => (res.locals.isAdmin ? 'let in' : void res.status(404).send('not here')),
  ],
  'req.user with a method, a redirect': [
    putIn((req) => {
      const role = roleOf(req);
      if (role !== 'none') req.user = { role, can: (what: string) => role === what };
    }),
    (req, res) => (req.user?.can('admin') ? 'let in' : void res.redirect('/login')),
  ],
  'no guard property for strangers, 401': [
    putIn((req) => {
      if (roleOf(req) === 'admin') req.admin = true;
    }),
    (req, res) => (req.admin ? 'let in' : void res.sendStatus(401)),
  ],
};

for (const [name, [find, guard]] of Object.entries(GUARDS)) {
  row(`A3 ${name}: the guard holds on hits`, { held: ['app'] }, async (place) => {
    let lists = 0;
    const list: Handler = (req, res) => {
      const verdict = guard(req, res);
      if (verdict !== 'let in') return undefined;
      lists += 1;
      return 'all customers';
    };
    const site = await openSite({
      ...place,
      middleware: [find],
      routes: { 'GET /admin': list, 'GET /reports': list, 'GET /same': () => 'the same' },
    });
    const [boss, deputy, clerk] = [
      new Visitor(site, tokenFor('admin', 1)),
      new Visitor(site, tokenFor('admin', 2)),
      new Visitor(site, tokenFor('clerk', 3)),
    ];
    const stranger = new Visitor(site);
    const expectOut = async (path: string) => {
      for (const who of [stranger, clerk]) {
        const answer = await who.get(path);
        expect(answer.status).not.toBe(200);
        expect(answer.text).not.toContain('customers');
      }
    };
    const expectIn = async (path: string) => {
      for (const who of [boss, deputy, boss]) {
        const answer = await who.get(path);
        expect(answer.text).toBe('all customers');
        expectOwn(answer);
      }
    };
    // Whoever comes first.
    await expectIn('/admin');
    await expectOut('/admin');
    await expectIn('/admin');
    await expectOut('/reports');
    await expectIn('/reports');
    await expectOut('/reports');
    if (!INSIDE.includes(place.mount)) return;
    // A user with a method of its own is comparable by nobody.
    if (!name.includes('method')) useful(() => expect(lists).toBe(2));
    await expectShared(site, [boss, clerk, stranger, new Visitor(site, { cookies: { _ga: '1' } })]);
  });
}

row('A3 a role that changes at another URL counts at once', { held: [] }, async (place) => {
  const site = await openSite({
    ...place,
    middleware: [sessions(), putIn((req) => (req.role = req.session.user))],
    routes: {
      'POST /become': (req) => {
        req.session.user = req.query.role;
        return 'done';
      },
      'GET /admin': (req, res) =>
        req.role === 'admin' ? 'all customers' : void res.status(403).send('forbidden'),
      'GET /same': () => 'the same',
    },
  });
  const ann = new Visitor(site);
  await ann.post('/become?role=clerk');
  for (const role of ['admin', 'clerk', 'admin', 'clerk']) {
    await ann.post(`/become?role=${role}`);
    for (let visits = 0; visits < 2; visits += 1) {
      expect((await ann.get('/admin')).status).toBe(role === 'admin' ? 200 : 403);
    }
  }
  if (INSIDE.includes(place.mount)) await expectShared(site, [ann, new Visitor(site)]);
});
