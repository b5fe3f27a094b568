import { fetchFromCache, type PageCacheOptions, updateCache } from 'cachewright';
import express from 'express';
import { makeOrigin, type Origin, type Respond } from './origin';
import type { Listener, Step } from './stacks';

/** An app whose every path is answered by one origin, cached by the pair. */
export interface PageApp {
  readonly app: Listener;
  readonly origin: Origin;
}

interface PageAppOptions {
  readonly options?: PageCacheOptions;
  /** Middleware between the halves of the pair. */
  readonly between?: readonly Step[];
  /** Middleware after the pair, and before the origin. */
  readonly inside?: readonly Step[];
}

/** `updateCache`, `between`, `fetchFromCache`, `inside`, origin: on Express 5. */
export function pageApp(
  respond?: Respond,
  { options, between = [], inside = [] }: PageAppOptions = {},
): PageApp {
  const origin = makeOrigin(respond);
  const app = express();
  // Whatever Express would add of its own would blur what the tests compare.
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(updateCache(options));
  for (const step of between) app.use(step as never);
  app.use(fetchFromCache());
  for (const step of inside) app.use(step as never);
  app.use(origin.handle as never);
  return { app, origin };
}
