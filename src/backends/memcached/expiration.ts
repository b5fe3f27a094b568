/** Memcached takes longer ones for a UNIX time. */
const LONGEST_RELATIVE = 60 * 60 * 24 * 30;

const LARGEST = 0xffff_ffff;

/**
 * A day in 1970: expired at once. The -1 of the text protocol would be read as a day in 2106, as
 * the binary one has no negative numbers.
 */
export const EXPIRED = LONGEST_RELATIVE + 1;

/**
 * How Memcached is told a timeout: whole seconds, of which the first may be a short one, as it
 * counts by the ticks of a clock of its own.
 *
 * @param seconds - `null`: no expiry.
 */
export function expirationOf(seconds: number | null): number {
  if (seconds === null) return 0;
  const whole = Math.trunc(seconds);
  if (whole <= 0) return EXPIRED;
  if (whole <= LONGEST_RELATIVE) return whole;
  const instant = Math.floor(Date.now() / 1000) + whole;
  return instant <= LARGEST ? instant : 0;
}
