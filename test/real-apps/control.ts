// No cache at all, with the package's exports. What a test asserts of isolation must hold with it;
// what it asserts inside `useful()` is left out. `npm run real-apps -- --control` runs it.
import type { Loose, Middleware, Next } from './support';

export const isControl = true;

const pass: Middleware = (_req, _res, next) => next();

export const updateCache = () => pass;
export const fetchFromCache = () => pass;
export const cachePage = () => pass;
export const neverCache = pass;
export const cacheControl = () => pass;
export const configureCaches = () => {};
export const configurePageCache = () => {};
export const invalidate = async () => {};
export const cacheTags = () => {};

const nothing = async () => {};
const cache = { clear: nothing, set: nothing, add: nothing, deleteMany: nothing };
export const createCaches = () => ({ default: { ...cache, invalidateTags: nothing } });
export const patchCacheControl = () => {};
export const patchVaryHeaders = () => {};

export const caches = {
  default: { clear: nothing, invalidateTags: nothing, invalidateUrl: nothing },
  all: () => [],
};

export function cacheApp(app: Loose, { before = [] }: { before?: Middleware[] } = {}) {
  return (req: Loose, res: Loose) => {
    if (before.length > 0 && app.request) {
      // What Express does as it begins: middleware finds `req.ip` and `res.status()`.
      Object.setPrototypeOf(req, app.request);
      Object.setPrototypeOf(res, app.response);
      req.res = res;
      res.req = req;
      res.locals ??= {};
    }
    const run = (at: number): unknown => {
      const next: Next = (error) => {
        if (!error) return void run(at + 1);
        res.statusCode = 500;
        res.end(String(error));
      };
      return at === before.length ? app(req, res) : before[at]!(req, res, next);
    };
    return run(0);
  };
}
