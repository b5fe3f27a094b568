// A page cache for one route inside the page cache of the site: both must see what the handler reads.
import { cacheApp, cachePage, LocMemCache } from 'cachewright';
import { putIn } from './packages';
import {
  expectOwn,
  type Handler,
  INSIDE,
  type Loose,
  MOUNTS,
  type Mount,
  newApp,
  openSite,
  row,
  serve,
  useRealApps,
  Visitor,
} from './support';

useRealApps();

const identify = putIn((req, res) => {
  const { 'x-user': name } = req.headers;
  if (name === undefined) return;
  req.user = { name };
  res.locals.user = name;
});

/** Puts a `cachePage` of its own around a handler. */
function cachedInside(handler: Handler, options: Loose = {}): Handler {
  const inner: Loose = cachePage(60, { cache: new LocMemCache('nested'), ...options });
  return (req, res) =>
    new Promise((resolve, reject) => {
      inner(req, res, () => Promise.resolve(handler(req, res)).then(resolve, reject));
    });
}

const READS: Record<string, Handler> = {
  'req.user': (req) => `Hello ${req.user?.name ?? 'guest'}`,
  'res.locals.user': (_req, res) => `Hello ${res.locals.user ?? 'guest'}`,
  'all headers': (req) => `Hello ${{ ...req.headers }['x-user'] ?? 'guest'}`,
  rawHeaders: (req) => `Hello ${/x-user,(\w+)/i.exec(String(req.rawHeaders))?.[1] ?? 'guest'}`,
};

const OPTIONS: Record<string, Loose> = {
  'by default': {},
  'that leaves heads alone': { patchHeaders: false },
  'that stores nothing': { storeIf: () => false },
};

for (const [name, read] of Object.entries(READS)) {
  for (const [kind, options] of Object.entries(OPTIONS)) {
    const held: Mount[] = name === 'req.user' ? ['pair', 'after', 'page'] : [];
    row(
      `A1 nested caches: ${name} inside a cache ${kind}`,
      { mounts: INSIDE, held },
      async (place) => {
        const site = await openSite({
          ...place,
          middleware: [identify],
          routes: { 'GET /me': cachedInside(read, options) },
        });
        for (const user of ['ann', 'bob', undefined, 'ann', undefined]) {
          const headers: Record<string, string> = user === undefined ? {} : { 'X-User': user };
          const text = await new Visitor(site, { headers }).text('/me');
          expect(text).toBe(`Hello ${user ?? 'guest'}`);
        }
      },
    );
  }
}

row("A11 nested caches: the client's address", { held: MOUNTS }, async (place) => {
  const site = await openSite({
    ...place,
    setup: (app) => app.set('trust proxy', true),
    routes: { 'GET /ip': cachedInside((req) => req.ip) },
  });
  for (const address of ['192.0.2.1', '192.0.2.2']) {
    const visitor = new Visitor(site, { headers: { 'X-Forwarded-For': address } });
    expect(await visitor.text('/ip')).toBe(address);
  }
});

for (const framework of ['Express 5', 'Express 4'] as const) {
  describe(`A1: cacheApp behind other code, ${framework}`, () => {
    function greeting(): Loose {
      const app = newApp(framework);
      app.get('/', (req: Loose, res: Loose) =>
        res.send(`Hello ${req.user?.name ?? 'guest'} ${res.locals.user ?? ''}`.trim()),
      );
      return app;
    }

    async function greetsEach(listener: Loose, users: readonly (string | undefined)[]) {
      const site = await serve(listener);
      for (const user of users) {
        const headers: Record<string, string> = user === undefined ? {} : { 'X-User': user };
        const answer = await new Visitor(site, { headers }).get('/');
        expect(answer.text).toContain(`Hello ${user ?? 'guest'}`);
        expectOwn(answer);
      }
    }

    test('A1 mounted in an app whose middleware knows the user', async () => {
      const outer = newApp(framework);
      outer.use(identify);
      outer.use(cacheApp(greeting()));
      await greetsEach(outer, [undefined, 'ann', 'bob', undefined, 'ann']);
    });

    test('A1 called by a listener that knows the user', async () => {
      const cached = cacheApp(greeting());
      const listener = (req: Loose, res: Loose) => {
        const { 'x-user': name } = req.headers;
        if (name !== undefined) req.user = { name };
        cached(req, res);
      };
      await greetsEach(listener, ['ann', 'bob', undefined, 'ann']);
    });
  });
}
