import { createServer, type Server } from 'node:http';
import express, { type RequestHandler } from 'express';
import type { Site } from '.';
import type { Page } from './page';

/** The mounts of the package inside Express. */
export const MOUNTS = ['cachePage', 'pair'] as const;

export type Mount = (typeof MOUNTS)[number];

/** What middleware before the look-up leaves in `res.locals.user` on each request. */
const USERS = {
  none: undefined,
  absent: undefined,
  undefined: () => undefined,
  fields: (id: string) =>
    Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`field${i}`, `${id} value ${i}`])),
} satisfies Record<string, ((id: string) => unknown) | undefined>;

export type UserKind = keyof typeof USERS;

/** A site on one build. */
export interface BuildPlan {
  readonly mount: Mount;
  readonly user: UserKind;
  /** Whether the handler looks at `res.locals.user`. */
  readonly isRead: boolean;
}

const SECONDS = 3600;

/** A site that uses the build whose `index.js` is given. */
export function serveBuild(
  build: string,
  { mount, user, isRead }: BuildPlan,
  { page, onHandled }: { readonly page: Page; readonly onHandled: Site['onHandled'] },
): Server {
  const { cachePage, fetchFromCache, updateCache } = require(build) as typeof import('cachewright');
  const makeUser: ((id: string) => unknown) | undefined = USERS[user];
  const setUser: RequestHandler = (_req, res, next) => {
    // Made anew, as it is where it comes from a database.
    res.locals.user = makeUser!('ann');
    next();
  };
  const render: RequestHandler = (_req, res) => {
    onHandled();
    if (isRead && res.locals.user !== undefined) res.set('X-Has-User', 'yes');
    res.json(page.value);
  };
  const between = makeUser === undefined ? [] : [setUser];
  const app = express();
  if (mount === 'pair') app.use(updateCache({ seconds: SECONDS }), ...between, fetchFromCache());
  else for (const each of between) app.use(each);
  app.get('/page/:id', ...(mount === 'pair' ? [] : [cachePage(SECONDS)]), render);
  return createServer(app);
}
