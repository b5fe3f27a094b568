import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

/** A request as Express, Connect, `node:http` and the compatibility API of `node:http2` have it. */
export type Request = IncomingMessage | Http2ServerRequest;

/** The response that belongs to a {@link Request}. */
export type Response = ServerResponse | Http2ServerResponse;

/** Hands over to the next middleware, or reports an error. */
export type Next = (error?: unknown) => void;

/** What runs for a request: middleware, or a handler that answers. */
export type Handler = (req: Request, res: Response, next: Next) => unknown;

/** A handler written for a narrower request, such as Express's. */
export type View = {
  // Declared as a method, whose parameters TypeScript compares both ways.
  method(req: IncomingMessage, res: ServerResponse, next: Next): unknown;
}['method'];

/** The same for the compatibility API of `node:http2`. */
export type Http2View = {
  method(req: Http2ServerRequest, res: Http2ServerResponse, next: Next): unknown;
}['method'];

/**
 * Middleware that is a decorator too: `app.get('/a', helper, view)` and
 * `app.get('/a', helper(view))` mean the same.
 */
export interface Middleware {
  (req: Request, res: Response, next: Next): void | Promise<void>;
  <V extends View>(view: V): V;
  <V extends Http2View>(view: V): V;
}

/** A {@link Middleware} without options: `neverCache` means the same as `neverCache()`. */
export interface OptionlessMiddleware extends Middleware {
  (): Middleware;
}

/**
 * Makes `run` usable before a handler and around one. An error of its own goes to `next`. What
 * `next` itself throws, as it does where no framework catches it, goes to the caller: thrown, or as
 * the rejection of the promise that was returned if it is too late for that. No handler runs twice.
 *
 * @param name - The public name, shown in traces and errors.
 * @param run - Must call `next` before its promise, if it returns one, is fulfilled.
 */
export function asMiddleware(name: string, run: Run): Middleware {
  function middleware(first: unknown, res?: unknown, next?: unknown): unknown {
    if (typeof first === 'function' && res === undefined) return decorate(first as Handler);
    checkCall(name, first, res);
    return new Passage(next as Next).proceed(run, first as Request, res as Response);
  }

  function decorate(view: Handler): Handler {
    function decorated(this: unknown, req: Request, res: Response, next: Next): unknown {
      checkCall(name, req, res);
      const passage = new Passage(next, (goOn) => view.call(this, req, res, goOn));
      return passage.proceed(run, req, res);
    }
    return rename(decorated, `${name}(${view.name || 'anonymous'})`);
  }

  return rename(middleware, name) as Middleware;
}

type Run = (req: Request, res: Response, next: Next) => void | Promise<void>;

/** One request's way through a middleware. */
class Passage {
  readonly #given: Next | undefined;
  readonly #inner: ((next: Next) => unknown) | undefined;
  #hasThrown = false;
  #result: unknown;

  /**
   * @param given - Which callers on plain Node may leave out.
   * @param inner - What the middleware is around; `undefined`: all that follows.
   */
  constructor(given: Next | undefined, inner?: (next: Next) => unknown) {
    this.#given = given;
    this.#inner = inner;
  }

  /** What comes of going on; where that is too late, a promise of it. */
  proceed(run: Run, req: Request, res: Response): unknown {
    const done = run(req, res, (error) => {
      this.#result = error === undefined ? this.#goOn() : this.#next(error);
    });
    return done === undefined ? this.#result : this.#passOnRejection(done).then(() => this.#result);
  }

  #goOn(): unknown {
    if (this.#inner === undefined) return this.#next();
    // Who was called without one is not shown one.
    const next = this.#given && ((...args: Parameters<Next>) => this.#next(...args));
    return this.#inner(next as Next);
  }

  #next(...args: Parameters<Next>): unknown {
    try {
      return this.#given!(...args);
    } catch (error) {
      this.#hasThrown = true;
      throw error;
    }
  }

  // Express 4 and Connect take no notice of a promise, and an unhandled one ends the process. They
  // throw nothing out of `next`, though: a promise that is rejected for that is not theirs.
  #passOnRejection(done: Promise<void>): Promise<void> {
    const given = this.#given;
    if (given === undefined) return done;
    return done.catch((error: unknown) => {
      if (this.#hasThrown) throw error;
      given(error);
    });
  }
}

/**
 * Lets the factory of `middleware` stand for what it makes. Django's `@never_cache` has no
 * parentheses either, and a request would hang in a factory that was mounted by mistake.
 */
export function withoutOptions(middleware: Middleware): OptionlessMiddleware {
  function factory(...args: Parameters<Handler> | []): unknown {
    return args.length === 0 ? middleware : middleware(...args);
  }
  return rename(factory, middleware.name) as OptionlessMiddleware;
}

/**
 * Refuses a request in place of the first option: the factory itself was mounted, not what it returns.
 * The request would hang, as a factory calls no `next`.
 *
 * @param call - How the factory is to be called: `updateCache()`.
 * @throws TypeError that names the parentheses
 */
export function refuseRequest(name: string, first: unknown, call: string): void {
  if (typeof first !== 'object' || first === null || !('headers' in first)) return;
  if (typeof first.headers !== 'object' || !('method' in first)) return;
  throw new TypeError(
    `${name} was mounted without its parentheses, and got a request. Mount what it returns: ${call}.`,
  );
}

function checkCall(name: string, req: unknown, res: unknown): void {
  // Not read: a cache around this would take that for a look at all headers.
  const isRequest = typeof req === 'object' && req !== null && 'headers' in req;
  const isResponse = typeof (res as Response | undefined)?.setHeader === 'function';
  if (isRequest && isResponse) return;
  throw new TypeError(
    `${name} was called without a request and a response. Mount what ${name}() returns, or call that with a handler: ${name}()(handler).`,
  );
}

function rename<F extends Function>(fn: F, name: string): F {
  return Object.defineProperty(fn, 'name', { value: name });
}
