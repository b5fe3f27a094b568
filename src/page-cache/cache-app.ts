import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { describe } from '../arguments/describe';
import type { Handler, Next, Request, Response } from '../headers/middleware';
import { hideTagHeaders, offerCacheTags } from './cache-tags';
import { hasState, observeBefore } from './inputs/observe-before';
import { invalidateOnSuccess } from './invalidate';
import { tellAtHead } from './outcomes';
import {
  checkPageOptions,
  type PageCacheOptions,
  type PageSettings,
  settingsFor,
} from './page-settings';
import { registerSpace } from './page-spaces';
import { showCountingPreferences } from './preference-rules';
import { type FrontedApp, standBefore } from './request-origin';
import { BeforeChain } from './run-before';
import { PageTransaction } from './transaction';

/** An Express or Connect app, or any handler of a server of Node. */
export type App = {
  // Declared as a method, whose parameters TypeScript compares both ways.
  method(req: IncomingMessage, res: ServerResponse): unknown;
}['method'];

/** The same for the compatibility API of `node:http2`. */
export type Http2App = {
  method(req: Http2ServerRequest, res: Http2ServerResponse): unknown;
}['method'];

/** Middleware of Express, of Connect or of this package. */
export type AnyMiddleware = {
  // Declared as a method, whose parameters TypeScript compares both ways.
  method(req: Request, res: Response, next: Next): unknown;
}['method'];

/** Options of `cacheApp`. */
export interface CacheAppOptions extends PageCacheOptions {
  /**
   * Middleware that runs for each request before the look-up, in this order: access logs, rate limits,
   * request ids. It sees hits too.
   *
   * @defaultValue none
   * @example cacheApp(app, { before: [morgan('combined'), limiter] })
   */
  readonly before?: readonly AnyMiddleware[];
}

/**
 * Puts the page cache in front of a whole app, so that a hit does not go through it at all: with
 * Express, which prepares each request anew, that is most of what a hit costs.
 *
 * It has the keys of `updateCache` and `fetchFromCache`, and shares their pages where nothing in
 * between changes the request. What middleware of the app reads to tell visitors apart (cookies,
 * languages, the session) is in the key like what handlers read, so that an app which looks at the
 * cookies of every request has each visitor's pages apart: such an app is better served by the pair, or
 * by `key: { cookies: […] }`. The option `language` and the like see the bare request, before any
 * middleware.
 *
 * @param app - What is called on a miss, and for all that is none of the cache's business. The Express
 *   setting `trust proxy` is followed.
 * @param options - Those of `updateCache`, and `before`.
 * @throws TypeError when made, if `app` is no function, or an option makes no sense.
 * @example
 * http.createServer(cacheApp(app, { seconds: 600 })).listen(3000);
 */
export function cacheApp(
  app: App,
  options?: CacheAppOptions,
): (req: IncomingMessage, res: ServerResponse, next?: undefined) => void;
export function cacheApp(
  app: Http2App,
  options?: CacheAppOptions,
): (req: Http2ServerRequest, res: Http2ServerResponse, next?: undefined) => void;
export function cacheApp(
  app: (req: never, res: never) => unknown,
  options: CacheAppOptions = {},
): (req: Request, res: Response) => void {
  if (typeof app !== 'function') {
    throw new TypeError(`cacheApp() got ${describe(app)}. Give an app, or a handler.`);
  }
  checkPageOptions('cacheApp', options, { before: checkBefore });
  const currentSettings = settingsFor(options);
  registerSpace(options);
  // Requests that came from the middleware of an app, and are in the hands of this one.
  const mounted = new WeakSet<Request>();
  const { before = [] } = options;
  const chain = new BeforeChain(app, before as readonly Handler[]);
  const isOutermost = before.length === 0;
  const place = { hasStateBefore: false };
  return (req: Request, res: Response, next?: unknown) => {
    if (next !== undefined) {
      refuseReturn(req, mounted);
      place.hasStateBefore = true;
    }
    const settings = currentSettings();
    if (req.method === 'GET' || req.method === 'HEAD') {
      showCountingPreferences(req, res, settings.preferences);
      if (isOutermost) return answer(req, res, settings);
      observeBefore(req, res, place);
      return chain.run(req, res, () => answer(req, res, settings));
    }
    standBefore(req, app as FrontedApp);
    offerCacheTags(res);
    tellAtHead(req, res, settings, { fwd: 'method' });
    hideTagHeaders(res, settings);
    invalidateOnSuccess(req, res, settings);
    chain.run(req, res, () => void app(req as never, res as never));
  };

  function answer(req: Request, res: Response, settings: PageSettings): void {
    const fronted = {
      app: app as FrontedApp,
      // Asked on a miss only. Code around the cache may have left state on the request.
      get isOutermost() {
        if (isOutermost && !place.hasStateBefore) place.hasStateBefore = hasState(req, res);
        return isOutermost && !place.hasStateBefore;
      },
    };
    const transaction = new PageTransaction(req, res, settings, null, fronted);
    void transaction.lookUp(() => void app(req as never, res as never));
  }
}

function checkBefore(before: unknown, option: string): void {
  const isList =
    Array.isArray(before) && before.every((middleware) => typeof middleware === 'function');
  if (isList) return;
  throw new TypeError(
    `${option} got ${describe(before)}. Give an array of middleware: [morgan('combined')].`,
  );
}

/** @throws TypeError if the app behind the cache has handed the request to the cache again */
function refuseReturn(req: Request, mounted: WeakSet<Request>): void {
  if (mounted.has(req)) {
    throw new TypeError(
      'cacheApp(app) is mounted in the app that it stands before. Give it to the server: http.createServer(cacheApp(app)).',
    );
  }
  mounted.add(req);
}
