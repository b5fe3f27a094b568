import { LRUCache } from 'lru-cache';
import { type HeaderValue, headerLines } from './header-value';

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

const TIME = '(?<hour>\\d{2}):(?<minute>\\d{2}):(?<second>\\d{2})';
// A date in local time must not count (RFC 9111 §4.2), one without a zone is taken for UTC.
const ZONE = '(?: (?:GMT|UTC))?';

/** The three formats of RFC 9110 §5.6.7, in any case as RFC 9111 §4.2 asks of caches. */
const FORMATS = [
  `[a-z]{3}, (?<day>\\d{2}) (?<month>[a-z]{3}) (?<year>\\d{4}) ${TIME}${ZONE}`,
  `[a-z]{6,9}, (?<day>\\d{2})-(?<month>[a-z]{3})-(?<year>\\d{2}) ${TIME}${ZONE}`,
  `[a-z]{3} (?<month>[a-z]{3}) (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})`,
].map((format) => new RegExp(`^${format}$`, 'i'));

/** `Fri, 31 Dec 9999 23:59:59 GMT`, the last instant that has a four-digit year. */
const LAST_DATE = Date.UTC(9999, 11, 31, 23, 59, 59);

/**
 * Reads a date such as `Sun, 06 Nov 1994 08:49:37 GMT`.
 *
 * @param now - Epoch milliseconds. Two-digit years are at most 50 years after it; without it, they
 *   are those of 1970 to 2069.
 * @returns Epoch milliseconds, or `undefined` for what is no date.
 * @see RFC 9110 §5.6.7
 */
export function parseHttpDate(value: HeaderValue, now?: number): number | undefined {
  const [text, another] = headerLines(value);
  if (text === undefined || another !== undefined) return undefined;
  const known = knownInstants.get(text);
  if (known !== undefined) return known;
  for (const format of FORMATS) {
    const groups = format.exec(text.trim())?.groups;
    if (groups === undefined) continue;
    const instant = toInstant(groups, now);
    // With two digits of the year it may be another one tomorrow.
    if (instant !== undefined && format === FORMATS[0]) knownInstants.set(text, instant);
    return instant;
  }
  return undefined;
}

/** Dates that were read last: most are those of this second, and of when its pages expire. */
const knownInstants = new LRUCache<string, number>({ max: 100 });

/** Those that were written last, by their seconds. */
const knownTexts = new LRUCache<number, string>({ max: 100 });

function toInstant(groups: Record<string, string>, now: number | undefined): number | undefined {
  const month = MONTHS.indexOf(groups.month!.toLowerCase());
  const [day, hour, minute, second] = ['day', 'hour', 'minute', 'second'].map((unit) =>
    Number(groups[unit]),
  ) as [number, number, number, number];
  const year = toYear(groups.year!, now);
  // 60 is a leap second.
  if (month === -1 || hour > 23 || minute > 59 || second > 60) return undefined;
  const midnight = new Date(Date.UTC(year, month, day));
  // Date.UTC() takes `31 Feb` for the 3rd of March, and the year 32 for 1932.
  if (midnight.getUTCDate() !== day || midnight.getUTCFullYear() !== year) return undefined;
  return midnight.getTime() + ((hour * 60 + minute) * 60 + second) * 1000;
}

function toYear(digits: string, now: number | undefined): number {
  const year = Number(digits);
  if (digits.length === 4) return year;
  const latest = now === undefined ? 2069 : new Date(now).getUTCFullYear() + 50;
  return latest - ((((latest - year) % 100) + 100) % 100);
}

/**
 * Writes an instant as HTTP does, in whole seconds.
 *
 * @param ms - Epoch milliseconds. What lies after the year 9999 becomes its end.
 */
export function formatHttpDate(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  let text = knownTexts.get(seconds);
  if (text === undefined) {
    text = new Date(Math.min(ms, LAST_DATE)).toUTCString();
    knownTexts.set(seconds, text);
  }
  return text;
}
