import { callbackify } from 'node:util';
import { cacheFragment } from './cache-fragment';

/** Renders the file at `path`, as Express asks it of `app.engine('ejs', engine)`. */
export type ViewEngine = (
  path: string,
  locals: object,
  callback: (error: unknown, html?: string) => void,
) => void;

/**
 * An engine of what renders asynchronously, with {@link cacheFragment} among the locals, as `cache`:
 * in the place of the boolean by which Express tells engines to keep what they compile.
 */
export function viewEngine(render: (path: string, locals: object) => Promise<string>): ViewEngine {
  return callbackify(async (path: string, locals: object) =>
    render(path, { ...locals, cache: cacheFragment }),
  );
}
