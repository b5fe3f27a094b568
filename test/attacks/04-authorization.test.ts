import { cachePage } from 'cachewright';
import { freshCaches } from '../support/fresh-caches';
import { makeOrigin, type Respond } from '../support/origin';
import { pageApp } from '../support/page-app';
import type { Listener } from '../support/stacks';
import { visit } from '../support/visit';

freshCaches();

const greet =
  (cacheControl: string): Respond =>
  (res, _call, req) => {
    res.setHeader('Cache-Control', cacheControl);
    res.end(`secrets of ${req.headers.authorization ?? 'nobody'}`);
  };

const SITES: Record<string, (respond: Respond) => Listener> = {
  'the pair': (respond) => pageApp(respond).app,
  'cachePage()': (respond) => cachePage(60)(makeOrigin(respond).handle) as unknown as Listener,
};

describe.each(Object.entries(SITES))('behind %s', (_name, site) => {
  test.each(['max-age=60', 's-maxage=60', 'max-age=60, must-revalidate', ''])(
    'what A gets by %j, neither B nor anyone else gets',
    async (cacheControl) => {
      const app = site(greet(cacheControl));
      const users = ['Bearer A', 'Bearer B', 'bearer A', 'Basic QTpB', 'Bearer A ,B'];
      for (const _visit of [1, 2]) {
        for (const user of users) {
          await visit(app, '/account').set('Authorization', user).expect(`secrets of ${user}`);
        }
      }
      for (const _visit of [1, 2]) await visit(app, '/account').expect('secrets of nobody');
      // What was made for nobody in particular may be anyone's, and is no secret.
      for (const user of users) {
        const { text } = await visit(app, '/account').set('Authorization', user);
        expect(['secrets of nobody', `secrets of ${user}`]).toContain(text);
      }
    },
  );

  test('HEAD by A answers no GET, and no HEAD by others', async () => {
    const app = site((res, call, req) => {
      res.setHeader('X-Owner', req.headers.authorization ?? 'nobody');
      res.end(`page ${call}`);
    });
    const head = (credentials: string) =>
      visit(app, '/account', 'head').set('Authorization', credentials);
    await head('Bearer A').expect('X-Owner', 'Bearer A');
    await head('Bearer B').expect('X-Owner', 'Bearer B');
    await visit(app, '/account', 'head').expect('X-Owner', 'nobody');
    await visit(app, '/account').expect('X-Owner', 'nobody');
  });

  test('a handler that forgets Vary, or sets one of its own, changes nothing', async () => {
    const app = site((res, _call, req) => {
      res.writeHead(200, ['Vary', 'Accept', 'Cache-Control', 'max-age=60']);
      res.end(`secrets of ${req.headers.authorization ?? 'nobody'}`);
    });
    await visit(app, '/account').set('Authorization', 'A').expect('secrets of A');
    await visit(app, '/account').set('Authorization', 'B').expect('secrets of B');
    await visit(app, '/account').expect('secrets of nobody');
  });

  test('only what says that it is public is shared', async () => {
    const app = site((res, call) => {
      res.setHeader('Cache-Control', 'public, max-age=60');
      res.end(`page ${call}`);
    });
    await visit(app, '/news').set('Authorization', 'Bearer A').expect('page 1');
    await visit(app, '/news').expect('page 1');
  });
});
