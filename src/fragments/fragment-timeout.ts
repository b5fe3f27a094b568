import { inspect } from 'node:util';

/**
 * The seconds that a fragment is to live: a number, or text of a whole one; fractions are cut.
 * `null`: for ever; `0` or less: it is rendered each time.
 *
 * @throws TypeError if it is none of these.
 */
export function fragmentSeconds(timeout: unknown, name: string): number | null {
  if (timeout === null) return null;
  if (typeof timeout === 'number' && Number.isFinite(timeout)) return Math.trunc(timeout);
  if (typeof timeout === 'string' && /^\s*[+-]?\d+\s*$/.test(timeout)) return Number(timeout);
  throw new TypeError(
    `Fragment ${JSON.stringify(name)} got the timeout ${inspect(timeout, { depth: 0 })}. Give seconds, or null for no expiry.`,
  );
}
