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
export function asMiddleware(
  name: string,
  run: (req: Request, res: Response, next: Next) => void | Promise<void>,
): Middleware {
  function middleware(first: unknown, res?: unknown, next?: unknown): unknown {
    if (typeof first === 'function' && res === undefined) return decorate(first as Handler);
    checkCall(name, first, res);
    return proceed(first as Request, res as Response, onwardTo(next as Next), (goOn) => goOn());
  }

  function decorate(view: Handler): Handler {
    function decorated(this: unknown, req: Request, res: Response, next: Next): unknown {
      checkCall(name, req, res);
      return proceed(req, res, onwardTo(next), (goOn) => view.call(this, req, res, goOn));
    }
    return rename(decorated, `${name}(${view.name || 'anonymous'})`);
  }

  /** What `inner` returns; where that is too late, a promise of it. */
  function proceed(
    req: Request,
    res: Response,
    { next, passOnRejection }: Onward,
    inner: (next: Next) => unknown,
  ): unknown {
    let result: unknown;
    const done = run(req, res, (error) => {
      result = error === undefined ? inner(next) : next(error);
    });
    return passOnRejection(done)?.then(() => result) ?? result;
  }

  return rename(middleware, name) as Middleware;
}

/** The `next` of one request, and what becomes of the error of middleware that returned already. */
interface Onward {
  readonly next: Next;
  passOnRejection(done: void | Promise<void>): void | Promise<void>;
}

/** @param given - Which callers on plain Node may leave out. */
function onwardTo(given: Next): Onward {
  if (given === undefined) return { next: given, passOnRejection: (done) => done };
  let hasThrown = false;
  const next: Next = (...args) => {
    try {
      return given(...args);
    } catch (error) {
      hasThrown = true;
      throw error;
    }
  };
  // Express 4 and Connect take no notice of a promise, and an unhandled one ends the process. They
  // throw nothing out of `next`, though: a promise that is rejected for that is not theirs.
  const passOnRejection = (done: void | Promise<void>) =>
    done?.catch((error: unknown) => {
      if (hasThrown) throw error;
      given(error);
    });
  return { next, passOnRejection };
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

function checkCall(name: string, req: unknown, res: unknown): void {
  const isRequest = typeof (req as Request | undefined)?.headers === 'object';
  const isResponse = typeof (res as Response | undefined)?.setHeader === 'function';
  if (isRequest && isResponse) return;
  throw new TypeError(
    `${name} was called without a request and a response. Mount what ${name}() returns, or call that with a handler: ${name}()(handler).`,
  );
}

function rename<F extends Function>(fn: F, name: string): F {
  return Object.defineProperty(fn, 'name', { value: name });
}
