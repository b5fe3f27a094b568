// The packages' middleware as most apps set it up.
import type { Loose, Middleware, PersonalApp } from './support';

const session: Loose = require('express-session');

/** `express-session` that stores nothing for strangers. */
export function sessions(options: object = {}): Middleware {
  return session({ secret: 'x', resave: false, saveUninitialized: false, ...options });
}

/** Middleware that puts something on the request or the response. */
export function putIn(set: (req: Loose, res: Loose) => void): Middleware {
  return (req, res, next) => {
    set(req, res);
    next();
  };
}

export const enterSession: PersonalApp['enter'] = (req, _res, name) => {
  req.session.user = name;
};

/** The user of the session in `res.locals`, as in most tutorials. */
export const userInLocals: Middleware = putIn((req, res) => {
  res.locals.user = req.session.user;
});
