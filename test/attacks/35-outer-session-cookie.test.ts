// `cachePage` inside a session, whose cookie is added only as the head goes out.
import { sessions } from '../real-apps/packages';
import {
  expectOwn,
  type Loose,
  type Middleware,
  openSite,
  row,
  useful,
  useRealApps,
  Visitor,
  wholeOf,
} from '../real-apps/support';

const cookieSession: Loose = require('cookie-session');
const clientSessions: Loose = require('client-sessions');

useRealApps();

const SESSIONS: Record<string, () => Middleware> = {
  'express-session': () => sessions(),
  'express-session for all': () => sessions({ saveUninitialized: true }),
  'express-session, rolling': () => sessions({ rolling: true, saveUninitialized: true }),
  'cookie-session': () => cookieSession({ keys: ['k'] }),
  'client-sessions': () =>
    clientSessions({ cookieName: 'session', secret: 'x'.repeat(32), duration: 24 * 3600_000 }),
};

for (const [name, make] of Object.entries(SESSIONS)) {
  row(`35 ${name}: no token of one visitor reaches another`, {}, async (place) => {
    let made = 0;
    const site = await openSite({
      ...place,
      middleware: [make()],
      routes: {
        // Creates the session, and shows its token.
        'GET /form': (req) => {
          made += 1;
          req.session.token ??= `token-${made}-`;
          return `<input value="${req.session.token}">`;
        },
        'GET /about': () => 'about us',
      },
    });
    const tokenIn = (text: string) => /token-\d+-/.exec(text)![0];
    const mallory = new Visitor(site);
    const planted = await mallory.get('/form');
    const stolen = [tokenIn(planted.text), ...mallory.jar.values()];
    expect(mallory.jar.size).toBeGreaterThan(0);

    const victims = [new Visitor(site), new Visitor(site, { cookies: { _ga: '1' } })];
    for (const who of victims) {
      const first = await who.get('/form');
      expectOwn(first);
      for (const secret of stolen) expect(wholeOf(first)).not.toContain(secret);
      stolen.push(
        tokenIn(first.text),
        ...[...who.jar].filter(([n]) => n !== '_ga').map(([, v]) => v),
      );
      // The token stays the visitor's, also while others come.
      expect(tokenIn((await who.get('/form')).text)).toBe(tokenIn(first.text));
    }
    expect(tokenIn((await mallory.get('/form')).text)).toBe(stolen[0]);

    // A page that has nothing to do with the session is one for all who have their cookie.
    const known = [mallory, ...victims];
    for (const who of known) expect(await who.text('/about')).toBe('about us');
    const before = site.renders['/about'];
    for (const who of known) expect(await who.text('/about')).toBe('about us');
    // client-sessions defines a property that cannot be watched, so its pages are not stored.
    const sharesNothing = name.includes('rolling') || name === 'client-sessions';
    if (place.mount !== 'app' && !sharesNothing)
      useful(() => expect(site.renders['/about']).toBe(before));
  });
}
