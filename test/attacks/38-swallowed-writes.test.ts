// A logout that a cache in front would swallow leaves the victim's browser logged in.
import { sessions } from '../real-apps/packages';
import {
  INSIDE,
  type Loose,
  type Middleware,
  openSite,
  row,
  useful,
  useRealApps,
  Visitor,
} from '../real-apps/support';

const cookieSession: Loose = require('cookie-session');

useRealApps();

const SESSIONS: Record<string, [make: () => Middleware, leave: (req: Loose) => unknown]> = {
  'cookie-session, req.session = null': [
    () => cookieSession({ keys: ['k'] }),
    (req) => {
      req.session = null;
    },
  ],
  'express-session, a field is deleted': [
    () => sessions(),
    (req) => {
      delete req.session.user;
    },
  ],
  'cookie-session, a field is deleted': [
    () => cookieSession({ keys: ['k'] }),
    (req) => {
      delete req.session.user;
    },
  ],
  'express-session, a field becomes undefined': [
    () => sessions(),
    (req) => {
      req.session.user = undefined;
    },
  ],
};

for (const [name, [make, leave]] of Object.entries(SESSIONS)) {
  row(`38 ${name} in a GET handler is not swallowed`, {}, async (place) => {
    const site = await openSite({
      ...place,
      middleware: [make()],
      routes: {
        'POST /login': (req) => {
          req.session.user = 'ann';
          return 'in';
        },
        'GET /logout': (req) => {
          leave(req);
          return 'You are logged out.';
        },
        'GET /me': (req) => req.session?.user ?? 'nobody',
        'GET /about': () => 'about us',
      },
    });
    // The attacker stores the page of the logout, as one who is not logged in.
    for (let visits = 0; visits < 3; visits += 1) {
      expect(await new Visitor(site).text('/logout')).toBe('You are logged out.');
    }
    for (let times = 0; times < 2; times += 1) {
      const ann = new Visitor(site);
      await ann.post('/login');
      const stolen = Object.fromEntries(ann.jar);
      for (let visits = 0; visits < 2; visits += 1) expect(await ann.text('/me')).toBe('ann');
      expect(await ann.text('/logout')).toBe('You are logged out.');
      for (let visits = 0; visits < 2; visits += 1) expect(await ann.text('/me')).toBe('nobody');
      // What express-session keeps on the server is gone for whoever has the cookie.
      if (!name.startsWith('express')) expect(ann.jar).not.toEqual(new Map(Object.entries(stolen)));
      else expect(await new Visitor(site, { cookies: stolen }).text('/me')).toBe('nobody');
    }
    if (!INSIDE.includes(place.mount)) return;
    for (const _ of [1, 2, 3]) expect(await new Visitor(site).text('/about')).toBe('about us');
    useful(() => expect(site.renders['/about']).toBe(1));
  });
}
