import { describe } from '../arguments/describe';
import { isPlain } from '../arguments/option-names';

/**
 * How long an entry lives, in seconds: `undefined` the backend's default, `null` until evicted,
 * `0` or less expired at once.
 */
export type Timeout = number | null | undefined;

/** Returns `timeout` if it is one; throws a `TypeError` that names `what` otherwise. */
export function checkTimeout(timeout: unknown, what: string): number | null {
  if (timeout === null || (typeof timeout === 'number' && Number.isFinite(timeout))) return timeout;
  const order = isPlain(timeout) ? ' Options come after it, as the next argument.' : '';
  throw new TypeError(
    `${what} got the timeout ${describe(timeout)}. Give finite seconds, or null for no expiry.${order}`,
  );
}

/** Whether an entry written with this timeout could never be read: `0` or less. */
export function isExpiredAtOnce(seconds: number | null): boolean {
  return seconds !== null && seconds <= 0;
}

/** The instant, in epoch milliseconds, at which an entry written now expires; `Infinity`: never. */
export function expiryOf(seconds: number | null): number {
  return seconds === null ? Number.POSITIVE_INFINITY : Date.now() + seconds * 1000;
}
