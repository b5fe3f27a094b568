import { matchesStrongly } from './entity-tags';
import { type HeaderValue, headerLines } from './header-value';
import { parseHttpDate } from './http-date';
import type { Validators } from './preconditions';

/** First and last byte, both included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** More ranges than this in one request are no honest reader's (RFC 9110 §17.15). */
const MAX_RANGES = 16;

/**
 * The parts of a body of `length` bytes that a `Range` field asks for.
 *
 * @returns `undefined` if the field is to be ignored: not of bytes, malformed, too many or
 *   overlapping ranges; `[]` if none of the ranges can be satisfied.
 * @see RFC 9110 §14.1.2, §14.2
 */
export function parseRanges(value: HeaderValue, length: number): ByteRange[] | undefined {
  const lines = headerLines(value);
  const text = lines.length === 1 ? /^bytes=(.*)$/i.exec(lines[0]!.trim())?.[1] : undefined;
  if (text === undefined) return undefined;
  const specs = text.split(',', MAX_RANGES + 1).map((spec) => spec.trim());
  if (specs.length > MAX_RANGES) return undefined;
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    if (spec === '') continue;
    const range = parseRange(spec, length);
    if (range === undefined) return undefined;
    if (range.first <= range.last && range.first < length) ranges.push(range);
  }
  return overlap(ranges) ? undefined : ranges;
}

function parseRange(spec: string, length: number): ByteRange | undefined {
  const [, first = '', last = ''] = /^(\d*)-(\d*)$/.exec(spec) ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const suffix = Number(last);
    // A suffix of nothing asks for what is not there.
    return { first: suffix === 0 ? length : Math.max(0, length - suffix), last: length - 1 };
  }
  const end = last === '' ? length - 1 : Number(last);
  if (last !== '' && end < Number(first)) return undefined;
  return { first: Number(first), last: Math.min(end, length - 1) };
}

function overlap(ranges: readonly ByteRange[]): boolean {
  const sorted = ranges.toSorted((a, b) => a.first - b.first);
  return sorted.some((range, i) => i > 0 && range.first <= sorted[i - 1]!.last);
}

/**
 * Whether the parts asked for fit what the client has already: always, unless `If-Range` names
 * another state than the present one.
 *
 * @see RFC 9110 §13.1.5
 */
export function ifRangeHolds(value: HeaderValue, { etag, lastModifiedAt }: Validators): boolean {
  if (value === undefined) return true;
  const text = String(value).trim();
  if (text.endsWith('"')) return etag !== undefined && matchesStrongly(etag, [text]);
  const date = parseHttpDate(text);
  return date !== undefined && date === lastModifiedAt;
}
