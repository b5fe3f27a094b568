// What caches behind this one, and browsers, may keep.
import { putIn, sessions } from './packages';
import {
  type Answer,
  brief,
  cookieOf,
  expectOwn,
  expectShared,
  INSIDE,
  type Loose,
  type Middleware,
  MOUNTS,
  openSite,
  row,
  useful,
  useRealApps,
  Visitor,
} from './support';

const requestIp: Loose = require('request-ip');

useRealApps();

/** Nothing about freshness was added. */
function expectUntouched(answer: Answer): void {
  const { expires, 'cache-control': control = '' } = answer.headers;
  const isFresh =
    /(max-age|s-maxage)=[1-9]/.test(control) || Date.parse(expires ?? '') > Date.now();
  expect({ isFresh, answer: brief(answer) }).toMatchObject({ isFresh: false });
}

row('A10 a page that shows the user is not kept for others', { held: ['app'] }, async (place) => {
  const site = await openSite({
    ...place,
    middleware: [
      putIn((req) => {
        const name = cookieOf(req, 'u');
        if (name) req.user = { name };
      }),
    ],
    routes: {
      'GET /account': (req) => `account of ${req.user?.name ?? 'guest'}`,
      'GET /same': () => 'the same for all',
    },
  });
  const [ann, stranger] = [new Visitor(site, { cookies: { u: 'ann' } }), new Visitor(site)];
  for (const who of [ann, stranger, ann]) {
    const answer = await who.get('/account');
    expect(answer.text).toBe(`account of ${who === ann ? 'ann' : 'guest'}`);
    if (who === ann) expectOwn(answer);
  }
  if (INSIDE.includes(place.mount)) await expectShared(site, [ann, stranger]);
});

row(
  'A10 a user that middleware finds in req.rawHeaders is not kept for others',
  {},
  async (place) => {
    const site = await openSite({
      ...place,
      middleware: [
        putIn((req) => {
          const at = req.rawHeaders.findIndex((name: string) => name.toLowerCase() === 'x-user');
          if (at >= 0) req.user = { name: req.rawHeaders[at + 1] };
        }),
      ],
      routes: {
        'GET /account': (req) => `account of ${req.user?.name ?? 'guest'}`,
        'GET /same': () => 'the same for all',
      },
    });
    const ann = new Visitor(site, { headers: { 'X-User': 'ann' } });
    const stranger = new Visitor(site);
    for (const who of [ann, stranger, ann, stranger, ann]) {
      const answer = await who.get('/account');
      expect(answer.text).toBe(`account of ${who === ann ? 'ann' : 'guest'}`);
      if (who === ann) expectOwn(answer);
    }
    if (INSIDE.includes(place.mount)) await expectShared(site, [ann, stranger]);
  },
);

row(
  'A10 an id that middleware makes from nothing is not kept for others',
  { held: ['app'] },
  async (place) => {
    let ids = 0;
    const site = await openSite({
      ...place,
      middleware: [
        putIn((_req, res) => {
          ids += 1;
          res.locals.id = `id-${ids}`;
        }),
      ],
      routes: {
        'GET /form': (_req, res) => `token ${res.locals.id}`,
        'GET /same': () => 'the same for all',
      },
    });
    const visitors = [new Visitor(site), new Visitor(site)];
    for (const who of visitors) {
      const answer = await who.get('/form');
      if (place.mount !== 'app') expectOwn(answer);
    }
    if (INSIDE.includes(place.mount)) await expectShared(site, visitors);
  },
);

/** What a handler may learn of a client that is no header. */
const LOOKS: Record<string, (req: Loose) => unknown> = {
  'req.ip': (req) => req.ip,
  'req.ips': (req) => req.ips.join() || req.ip,
  'req.socket.remoteAddress': (req) => req.socket.remoteAddress,
  'req.connection.remoteAddress': (req) => req.connection.remoteAddress,
  'request-ip': (req) => requestIp.getClientIp(req),
  'req.rawHeaders': (req) => req.rawHeaders.length,
};

for (const [name, look] of Object.entries(LOOKS)) {
  row(`A11 a page made of ${name} leaves as its handler made it`, {}, async (place) => {
    const site = await openSite({
      ...place,
      routes: {
        'GET /': (req) => `you: ${look(req)}`,
        'GET /kept': (req, res) => {
          res.set('Cache-Control', 'private, max-age=5');
          return `you: ${look(req)}`;
        },
        'GET /same': () => 'the same for all',
      },
    });
    const visitors = [new Visitor(site), new Visitor(site)];
    for (const who of visitors) {
      const answer = await who.get('/');
      expectUntouched(answer);
      expect(answer.headers.expires).toBeUndefined();
      const kept = await who.get('/kept');
      expect(kept.headers['cache-control']).toBe('private, max-age=5');
    }
    expect(site.renders).toMatchObject({ '/': 2, '/kept': 2 });
    await expectShared(site, visitors);
  });
}

row('A11 a cookie that is read after the first write', {}, async (place) => {
  const site = await openSite({
    ...place,
    routes: {
      'GET /': (req, res) => {
        res.write('Hello ');
        res.end(cookieOf(req, 'u') ?? 'guest');
      },
      'GET /same': () => 'the same for all',
    },
  });
  const [ann, stranger] = [new Visitor(site, { cookies: { u: 'ann' } }), new Visitor(site)];
  for (const who of [ann, stranger, ann, stranger]) {
    const answer = await who.get('/');
    expect(answer.text).toBe(`Hello ${who === ann ? 'ann' : 'guest'}`);
    expectOwn(answer);
  }
  await expectShared(site, [ann, stranger]);
});

row('A11 a head that leaves before the last byte gets no freshness', {}, async (place) => {
  const site = await openSite({
    ...place,
    options: { maxBytes: 1000 },
    routes: {
      'GET /stream': async (_req, res) => {
        res.write('x'.repeat(100));
        await new Promise((resolve) => setTimeout(resolve, 5));
        res.end('x');
      },
      'GET /big': async (_req, res) => {
        res.write('x'.repeat(900));
        await new Promise((resolve) => setTimeout(resolve, 5));
        res.end('x'.repeat(900));
      },
      'GET /same': () => 'the same for all',
    },
  });
  const visitors = [new Visitor(site), new Visitor(site)];
  expectUntouched(await visitors[0]!.get('/stream'));
  for (const who of visitors) expectUntouched(await who.get('/big'));
  expect(site.renders['/big']).toBe(2);
  await expectShared(site, visitors);
});

row('A11 a page that sets a cookie gets no freshness', { held: MOUNTS }, async (place) => {
  const site = await openSite({
    ...place,
    routes: {
      'GET /': (_req, res) => {
        res.cookie('visit', '1');
        return 'welcome';
      },
      'GET /same': () => 'the same for all',
    },
  });
  const visitors = [new Visitor(site), new Visitor(site)];
  for (const who of visitors) expectUntouched(await who.get('/'));
  await expectShared(site, visitors);
});

for (const name of ['express-session', 'cookie-session', 'a cookie set at once']) {
  row(
    `A9 a page that leaves with a new cookie of ${name} is not shared downstream`,
    { mounts: INSIDE, held: ['before'] },
    async (place) => {
      const kinds: Record<string, () => Middleware> = {
        'express-session': () => sessions({ saveUninitialized: true, rolling: true }),
        'cookie-session': () => {
          const middleware: Middleware = require('cookie-session')({ keys: ['k'] });
          return (req, res, next) =>
            middleware(req, res, () => {
              req.session.visitor ??= Math.random();
              next();
            });
        },
        'a cookie set at once': () => (req, res, next) => {
          if (req.headers.cookie === undefined) res.setHeader('Set-Cookie', `v=${Math.random()}`);
          next();
        },
      };
      const site = await openSite({
        ...place,
        middleware: [kinds[name]!()],
        routes: { 'GET /same': () => 'the same for all' },
      });
      const known = new Visitor(site);
      for (let visits = 0; visits < 3; visits += 1) {
        for (const who of [known, new Visitor(site)]) {
          const answer = await who.get('/same');
          expect(answer.text).toBe('the same for all');
          if (answer.headers['set-cookie'] !== undefined) expectOwn(answer, /\*/);
        }
      }
      useful(() => expect(site.renders['/same']).toBeLessThan(4));
    },
  );
}
