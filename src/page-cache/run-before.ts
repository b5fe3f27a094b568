import type { Handler, Next, Request, Response } from '../headers/middleware';

/** Express's app, or Connect's, as far as it is used; any other handler has none of it. */
interface AppLike {
  readonly request?: object;
  readonly response?: object;
  readonly lazyrouter?: () => void;
  readonly _router?: { readonly stack: unknown[] };
  readonly router?: { readonly stack: unknown[] };
  readonly stack?: unknown[];
  use?(middleware: Handler): void;
}

const FAILURE = Symbol('cachewright.before-failure');

interface Failing {
  [FAILURE]?: { readonly error: unknown };
}

/** Middleware that runs before the cache, for every request (`cacheApp(app, { before })`). */
export class BeforeChain {
  readonly #app: AppLike;
  readonly #steps: readonly Handler[];

  constructor(app: unknown, steps: readonly Handler[]) {
    this.#app = app as AppLike;
    this.#steps = steps;
    if (steps.length > 0) openErrorHandlers(this.#app);
  }

  /** Runs all steps, then `next`. An error goes to the error handlers of the app. */
  run(req: Request, res: Response, next: () => void): void {
    if (this.#steps.length > 0) this.#lendExpress(req, res);
    const step = (at: number): void => {
      const middleware = this.#steps[at];
      if (middleware === undefined) {
        next();
        return;
      }
      const goOn: Next = (error) =>
        error === undefined || error === null ? step(at + 1) : this.#fail(req, res, error);
      try {
        const result = middleware(req, res, goOn);
        if (result instanceof Promise) result.catch((error) => this.#fail(req, res, error));
      } catch (error) {
        this.#fail(req, res, error);
      }
    };
    step(0);
  }

  /** Middleware for Express finds `req.ip` and `res.send`, as it does in the app. */
  #lendExpress(request: Request, response: Response): void {
    const { request: requests, response: responses } = this.#app;
    if (requests === undefined || responses === undefined) return;
    const req = request as Request & { res?: Response };
    const res = response as Response & { locals?: object };
    Object.setPrototypeOf(req, requests);
    Object.setPrototypeOf(res, responses);
    req.res = res;
    (res as { req: unknown }).req = req;
    res.locals ??= Object.create(null) as object;
  }

  #fail(req: Request, res: Response, error: unknown): void {
    if (!canTakeErrors(this.#app)) {
      if (res.headersSent) {
        req.socket.destroy();
        return;
      }
      const { status = 500 } = (error ?? {}) as { status?: number };
      res.statusCode = status >= 400 && status < 600 ? status : 500;
      res.end();
      return;
    }
    (req as Failing)[FAILURE] = { error };
    (this.#app as unknown as (req: Request, res: Response) => void)(req, res);
  }
}

function canTakeErrors(app: AppLike): boolean {
  return typeof app.use === 'function' && stackOf(app) !== undefined;
}

function stackOf(app: AppLike): unknown[] | undefined {
  // Express 4 makes its router when it is first used, and throws where `app.router` is read.
  if (typeof app.lazyrouter === 'function') {
    app.lazyrouter();
    return app._router?.stack;
  }
  return app.router?.stack ?? app.stack;
}

/** Puts a middleware in front of the app that hands over what has failed before it. */
function openErrorHandlers(app: AppLike): void {
  if (!canTakeErrors(app)) return;
  app.use!(function cachewrightBefore(req, _res, next) {
    next((req as Failing)[FAILURE]?.error);
  });
  const stack = stackOf(app)!;
  const layer = stack.pop();
  // Express 4 has two of its own, which prepare the request.
  stack.splice(typeof app.lazyrouter === 'function' ? 2 : 0, 0, layer);
}
