import type { NextFunction, Request, Response } from 'express';

/**
 * Tells the browser in `Server-Timing` whether the page came from the cache, how old it is, and
 * how long all of it took; the script in the footer shows it. Mounted outside `updateCache`, so
 * that what it says is of this one response and never stored with the page.
 */
export function serverTiming(_req: Request, res: Response, next: NextFunction): void {
  const startedAt = performance.now();
  const writeHead = res.writeHead as (...args: unknown[]) => Response;
  res.writeHead = function writeHeadWithTiming(this: Response, ...args: unknown[]) {
    const age = ageIn(args) ?? res.getHeader('Age');
    const entries = [
      age === undefined ? 'cache;desc=miss' : `cache;desc=hit, age;dur=${Number(age) * 1000}`,
      `total;dur=${(performance.now() - startedAt).toFixed(2)}`,
    ];
    res.setHeader('Server-Timing', entries.join(', '));
    return writeHead.apply(this, args);
  } as Response['writeHead'];
  next();
}

/** The `Age` of a stored response, whose fields come to `writeHead` as one list. */
function ageIn(args: readonly unknown[]): unknown {
  const fields = args.at(-1);
  if (!Array.isArray(fields)) return undefined;
  const index = fields.indexOf('Age');
  return index === -1 ? undefined : fields[index + 1];
}
