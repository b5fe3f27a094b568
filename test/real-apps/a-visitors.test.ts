// Who visits: sessions, logins, tokens, API keys, whatever the packages leave on the request.
import { enterSession, putIn, sessions } from './packages';
import {
  cookieOf,
  type Loose,
  type Middleware,
  type PersonalApp,
  personalRow,
  type RowOptions,
  urlencoded,
  useRealApps,
  type Visitor,
} from './support';

const cookieParser: Loose = require('cookie-parser');
const cookieSession: Loose = require('cookie-session');
const clientSessions: Loose = require('client-sessions');
const jwt: Loose = require('jsonwebtoken');
const { expressjwt }: Loose = require('express-jwt');
const { Passport }: Loose = require('passport');
const { Strategy }: Loose = require('passport-local');

useRealApps();

/** What is read is a header, and those have always counted. */
const HELD_INSIDE: RowOptions = { held: ['pair', 'after', 'page', 'app'] };

describe('A1: express-session between the halves', () => {
  const greet: PersonalApp['show'] = (_req, res) => `Hello ${res.locals.user ?? 'guest'}`;

  personalRow('A1 the user of the session in res.locals', {
    middleware: () => [sessions(), putIn((req, res) => (res.locals.user = req.session.user))],
    enter: enterSession,
    show: greet,
  });

  personalRow('A1 an object in res.locals, made anew for each request', {
    middleware: () => [
      sessions(),
      putIn((req, res) => {
        res.locals.user = req.session.user ? { name: req.session.user, roles: ['buyer'] } : null;
      }),
    ],
    enter: enterSession,
    show: (_req, res) => `Hello ${res.locals.user?.name ?? 'guest'}`,
  });

  personalRow('A1 res.locals is only filled for those who are logged in', {
    middleware: () => [
      sessions(),
      putIn((req, res) => {
        if (req.session.user) res.locals.user = req.session.user;
      }),
    ],
    enter: enterSession,
    show: greet,
  });

  personalRow('A1 the handler asks whether res.locals has a user', {
    middleware: () => [
      sessions(),
      putIn((req, res) => {
        if (req.session.user) res.locals.user = req.session.user;
      }),
    ],
    enter: enterSession,
    show: (_req, res) => ('user' in res.locals ? `Hello ${res.locals.user}` : 'Hello guest'),
  });

  personalRow('A1 the handler takes res.locals apart', {
    middleware: () => [sessions(), putIn((req, res) => (res.locals.user = req.session.user))],
    enter: enterSession,
    show: (_req, res) => {
      const { user = 'guest', ...rest } = res.locals;
      return `Hello ${user}, ${Object.keys(rest).length}`;
    },
  });

  personalRow('A1 the handler copies res.locals', {
    middleware: () => [sessions(), putIn((req, res) => (res.locals.user = req.session.user))],
    enter: enterSession,
    show: (_req, res) => `Hello ${{ ...res.locals }.user ?? 'guest'}`,
  });

  personalRow('A1 the handler serialises res.locals', {
    middleware: () => [sessions(), putIn((req, res) => (res.locals.user = req.session.user))],
    enter: enterSession,
    show: (_req, res) => `Hello ${JSON.parse(JSON.stringify(res.locals)).user ?? 'guest'}`,
  });

  personalRow('A1 res.locals is replaced by another object', {
    middleware: () => [sessions(), putIn((req, res) => (res.locals = { user: req.session.user }))],
    enter: enterSession,
    show: greet,
  });

  personalRow('A1 a session that is saved on each request', {
    middleware: () => [
      sessions({ resave: true }),
      putIn((req, res) => (res.locals.user = req.session.user)),
    ],
    enter: enterSession,
    show: greet,
  });

  personalRow('A1 the handler reads the session itself', {
    middleware: () => [sessions()],
    enter: enterSession,
    show: (req) => `Hello ${req.session.user ?? 'guest'}`,
  });
});

describe('A2: logins by other packages', () => {
  const passportApp = (show: PersonalApp['show'], more: Middleware[] = []): PersonalApp => {
    const passport = new Passport();
    passport.use(
      new Strategy((name: string, _password: string, done: Loose) => done(null, { name })),
    );
    passport.serializeUser((user: Loose, done: Loose) => done(null, user.name));
    passport.deserializeUser((name: string, done: Loose) => done(null, { name }));
    return {
      middleware: (framework) => [
        urlencoded(framework),
        sessions(),
        passport.initialize(),
        passport.session(),
        ...more,
      ],
      login: (who, name) => who.post('/enter', { username: name, password: 'x' }),
      routes: {
        'POST /enter': (req, res) =>
          passport.authenticate('local')(req, res, (error: unknown) =>
            res.status(error ? 500 : 200).end('in'),
          ),
      },
      show,
    };
  };

  personalRow('A2 passport, req.user in res.locals', {
    ...passportApp(
      (_req, res) => `Hello ${res.locals.user?.name ?? 'guest'}`,
      [putIn((req, res) => (res.locals.user = req.user))],
    ),
  });

  personalRow(
    'A2 passport, the handler reads req.user',
    passportApp((req) => `Hello ${req.user?.name ?? 'guest'}`),
  );

  personalRow(
    'A2 passport, the handler asks req.isAuthenticated()',
    passportApp((req) => (req.isAuthenticated() ? `Hello ${req.user.name}` : 'Hello guest')),
  );

  personalRow('A2 cookie-session, its user in res.locals', {
    middleware: () => [
      cookieSession({ keys: ['k'] }),
      putIn((req, res) => (res.locals.user = req.session.user)),
    ],
    enter: enterSession,
    show: (_req, res) => `Hello ${res.locals.user ?? 'guest'}`,
  });

  personalRow('A2 cookie-session, read by the handler', {
    middleware: () => [cookieSession({ keys: ['k'] })],
    enter: enterSession,
    show: (req) => `Hello ${req.session.user ?? 'guest'}`,
  });

  const namedSession: PersonalApp = {
    middleware: () => [
      clientSessions({ cookieName: 'mine', secret: 'a'.repeat(20), duration: 1e6 }),
    ],
    enter: (req, _res, name) => {
      req.mine.user = name;
    },
    show: (req) => `Hello ${req.mine.user ?? 'guest'}`,
    // It also says when it was made: for strangers, now.
    storedOn: [],
  };
  personalRow('A2 client-sessions, under a name of its own', namedSession, HELD_INSIDE);

  const takeToken = (who: Visitor, name: string) => {
    who.jar.set('token', jwt.sign({ name }, 'k', { noTimestamp: true }));
  };
  const fromCookie = (options: object = {}): Middleware =>
    expressjwt({
      ...{ secret: 'k', algorithms: ['HS256'], credentialsRequired: false },
      ...{ getToken: (req: Loose) => cookieOf(req, 'token'), ...options },
    });

  // It sets nothing at all for strangers.
  personalRow('A2 express-jwt, req.auth', {
    middleware: () => [fromCookie()],
    login: takeToken,
    show: (req) => `Hello ${req.auth?.name ?? 'guest'}`,
  });

  personalRow('A2 express-jwt, another property', {
    middleware: () => [fromCookie({ requestProperty: 'account' })],
    login: takeToken,
    show: (req) => `Hello ${req.account?.name ?? 'guest'}`,
  });

  personalRow(
    'A2 express-jwt, the Authorization header',
    {
      middleware: () => [
        expressjwt({ secret: 'k', algorithms: ['HS256'], credentialsRequired: false }),
      ],
      login: (who, name) => {
        who.headers.Authorization = `Bearer ${jwt.sign({ name }, 'k', { noTimestamp: true })}`;
      },
      show: (req) => `Hello ${req.auth?.name ?? 'guest'}`,
      by: /authorization|\*/i,
      // Shared caches store nothing for requests with Authorization (RFC 9111 §3.5).
      sharedOn: [],
      storedOn: [],
    },
    HELD_INSIDE,
  );

  personalRow('A2 a JSON web token in a cookie, req.currentUser', {
    middleware: () => [
      putIn((req) => {
        const token = cookieOf(req, 'token');
        req.currentUser = token && jwt.verify(token, 'k');
      }),
    ],
    login: takeToken,
    show: (req) => `Hello ${req.currentUser?.name ?? 'guest'}`,
  });

  personalRow('A2 the cookie is read by the handler, of req.cookies', {
    middleware: () => [cookieParser()],
    login: takeToken,
    show: (req) => {
      const { token } = req.cookies;
      return `Hello ${token ? jwt.verify(token, 'k').name : 'guest'}`;
    },
  });

  personalRow('A2 a signed cookie, of req.signedCookies', {
    middleware: () => [cookieParser('secret')],
    enter: (_req, res, name) => {
      res.cookie('user', name, { signed: true });
    },
    show: (req) => `Hello ${req.signedCookies.user ?? 'guest'}`,
  });

  const KEYS: Record<string, string> = { 'key-1': 'ann', 'key-2': 'bob' };
  const takeKey = (who: Visitor, name: string) => {
    who.headers['X-Api-Key'] = name === 'ann' ? 'key-1' : 'key-2';
  };

  personalRow('A2 the tenant of an API key, req.tenant', {
    middleware: () => [putIn((req) => (req.tenant = KEYS[req.headers['x-api-key']]))],
    login: takeKey,
    by: /x-api-key|\*/i,
    show: (req) => `Data of ${req.tenant ?? 'guest'}`,
  });

  const USER = Symbol('user');
  personalRow('A2 a symbol on req', {
    middleware: () => [putIn((req) => (req[USER] = cookieOf(req, 'u')))],
    login: (who, name) => who.jar.set('u', name),
    show: (req) => `Hello ${req[USER] ?? 'guest'}`,
  });

  personalRow('A2 a symbol on req, for those who are logged in', {
    middleware: () => [
      putIn((req) => {
        if (cookieOf(req, 'u')) req[USER] = cookieOf(req, 'u');
      }),
    ],
    login: (who, name) => who.jar.set('u', name),
    show: (req) => `Hello ${req[USER] ?? 'guest'}`,
  });

  class Account {
    constructor(
      readonly name: string,
      readonly role: string,
    ) {}
    // As many do, so that no secrets get out.
    toJSON() {
      return { kind: 'account' };
    }
  }
  personalRow('A2 an instance whose toJSON hides who it is', {
    middleware: () => [
      putIn((req) => {
        const name = cookieOf(req, 'u');
        req.account = name && new Account(name, 'buyer');
      }),
    ],
    login: (who, name) => who.jar.set('u', name),
    show: (req) => `Hello ${req.account?.name ?? 'guest'}`,
  });

  personalRow('A2 a property of req with a getter', {
    middleware: () => [
      putIn((req) =>
        Object.defineProperty(req, 'viewer', {
          get: () => ({ name: cookieOf(req, 'u') }),
          configurable: true,
          enumerable: true,
        }),
      ),
    ],
    login: (who, name) => who.jar.set('u', name),
    show: (req) => `Hello ${req.viewer.name ?? 'guest'}`,
  });

  personalRow('A2 a property of res', {
    middleware: () => [putIn((req, res) => (res.viewer = cookieOf(req, 'u')))],
    login: (who, name) => who.jar.set('u', name),
    show: (_req, res) => `Hello ${res.viewer ?? 'guest'}`,
  });

  personalRow('A2 a Map on req', {
    middleware: () => [putIn((req) => (req.context = new Map([['user', cookieOf(req, 'u')]])))],
    login: (who, name) => who.jar.set('u', name),
    show: (req) => `Hello ${req.context.get('user') ?? 'guest'}`,
  });

  class Secret {
    readonly #name: string | undefined;
    constructor(name: string | undefined) {
      this.#name = name;
    }
    greeting() {
      return `Hello ${this.#name ?? 'guest'}`;
    }
  }
  // Nobody can compare what they know, so they count as a look at what they may be made from.
  personalRow('A2 an instance with private fields', {
    middleware: () => [putIn((req) => (req.viewer = new Secret(cookieOf(req, 'u'))))],
    login: (who, name) => who.jar.set('u', name),
    show: (req) => req.viewer.greeting(),
    storedOn: [],
  });

  personalRow('A2 a function on res.locals that knows the visitor', {
    middleware: () => [
      putIn((req, res) => {
        const name = cookieOf(req, 'u');
        res.locals.greet = () => `Hello ${name ?? 'guest'}`;
      }),
    ],
    login: (who, name) => who.jar.set('u', name),
    show: (_req, res) => res.locals.greet(),
    storedOn: [],
  });

  personalRow(
    'A2 a header that middleware has rewritten',
    {
      middleware: () => [putIn((req) => (req.headers['x-user'] = cookieOf(req, 'u') ?? 'guest'))],
      login: (who, name) => who.jar.set('u', name),
      show: (req) => `Hello ${req.headers['x-user']}`,
      by: /cookie|x-user|\*/i,
    },
    HELD_INSIDE,
  );

  personalRow('A2 a property that is on req from the beginning: req.query', {
    middleware: () => [
      putIn((req) => {
        const query = { ...req.query, viewer: cookieOf(req, 'u') };
        Object.defineProperty(req, 'query', { value: query, writable: true, configurable: true });
      }),
    ],
    login: (who, name) => who.jar.set('u', name),
    show: (req) => `Hello ${req.query.viewer ?? 'guest'}`,
    // In `before`, the query parser of Express 4 comes later, and looks at it.
    sharedOn: ['pair', 'after', 'page'],
  });
});

describe('A2: a visitor who has not a cookie yet', () => {
  personalRow('A2 a session that is stored for strangers, too', {
    middleware: () => [
      sessions({ saveUninitialized: true }),
      putIn((req, res) => (res.locals.user = req.session.user)),
    ],
    enter: enterSession,
    show: (_req, res) => `Hello ${res.locals.user ?? 'guest'}`,
    // The first answer to each visitor has a cookie, and is not stored.
    sharedOn: [],
    storedOn: [],
  });
});
