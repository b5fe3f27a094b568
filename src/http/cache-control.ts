import { parse, stringify } from 'cache-control-parser';
import { remembering } from '../memo';
import { type HeaderValue, headerLines } from './header-value';

export type { HeaderValue } from './header-value';

/** One directive of a `Cache-Control` field, as it was spelt. */
export interface Directive {
  readonly name: string;
  /** The text after `=`, quotes included; `undefined`: a bare directive. */
  readonly value: string | undefined;
}

/** The directives of a `Cache-Control` field in their order, repeated and unknown ones too. */
export type CacheControl = readonly Directive[];

/**
 * The largest number of seconds worth telling apart: about 68 years.
 *
 * @see RFC 9111 §1.2.2
 */
export const MAX_DELTA_SECONDS = 2 ** 31 - 1;

/**
 * Reads a `Cache-Control` field, however it is written; never throws, and takes time linear in
 * its length.
 *
 * @see RFC 9111 §5.2
 */
export function parseCacheControl(value: HeaderValue): CacheControl {
  return typeof value === 'string' ? parseKnown(value) : headerLines(value).flatMap(parseLine);
}

/** A site sends the same few all the time. */
const parseKnown = remembering(200, parseLine);

function parseLine(line: string): CacheControl {
  const known = parse(line);
  // Writing it back tells whether the library, which has twelve directives and no quoted strings,
  // understood all there was. Otherwise nothing may be lost, so each directive is carried over.
  if (line !== '' && stringify(known) === line) {
    return Object.entries(known).map(([name, seconds]) => ({
      name,
      value: seconds === true ? undefined : String(seconds),
    }));
  }
  return splitOutsideQuotes(line).flatMap(parseDirective);
}

/**
 * Splits at commas, but for those in a quoted string. A quote that is never closed is no quoted
 * string: it must not hide the `no-store` behind it.
 */
function splitOutsideQuotes(line: string): string[] {
  const elements: string[] = [];
  let start = 0;
  let previous = '';
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!;
    if (char === ',') {
      elements.push(line.slice(start, i));
      start = i + 1;
    } else if (char === '"' && previous === '=') {
      // Looked for in vain once at most: an opening quote further on would have closed this one.
      const end = closingQuote(line, i);
      if (end !== -1) i = end;
    }
    if (char !== ' ' && char !== '\t') previous = char;
  }
  elements.push(line.slice(start));
  return elements;
}

/** The index of the quote that closes the one at `open`, or -1. */
function closingQuote(line: string, open: number): number {
  for (let i = open + 1; i < line.length; i++) {
    if (line[i] === '\\') i += 1;
    else if (line[i] === '"') return i;
  }
  return -1;
}

function parseDirective(element: string): CacheControl {
  const text = element.trim();
  if (text === '') return [];
  const equals = text.indexOf('=');
  if (equals === -1) return [{ name: text, value: undefined }];
  const spelt = text.slice(0, equals);
  const name = spelt.trimEnd();
  const value = text.slice(equals + 1);
  // Space around `=` is not in the grammar. The directive counts all the same, as whoever wrote
  // `no-store = 1` meant it; with the space kept in its value, it has no valid seconds.
  const isSpaced = name !== spelt && value !== '';
  return [{ name, value: isSpaced ? ` ${value.trimStart()}` : value }];
}

/** Whether the directive occurs, in any case, with or without a value. */
export function hasDirective(cacheControl: CacheControl, name: string): boolean {
  return cacheControl.some((directive) => isNamed(directive, name));
}

/**
 * The seconds that a directive such as `max-age` gives; the last one wins, as in Django.
 *
 * @returns `undefined` if the directive is missing or its value is anything but digits, as in
 *   `max-age=5.5` or `max-age="5"`; at most {@link MAX_DELTA_SECONDS}.
 */
export function directiveSeconds(cacheControl: CacheControl, name: string): number | undefined {
  const value = cacheControl.findLast((directive) => isNamed(directive, name))?.value;
  if (value === undefined || !/^[0-9]+$/.test(value)) return undefined;
  return Math.min(Number(value), MAX_DELTA_SECONDS);
}

/** Writes the directives as one field value. */
export function stringifyCacheControl(cacheControl: CacheControl): string {
  return cacheControl
    .map(({ name, value }) => (value === undefined ? name : `${name}=${value}`))
    .join(', ');
}

/** Whether `directive` is the one that RFC 9111 spells `name`. */
export function isNamed(directive: Directive, name: string): boolean {
  return directive.name.toLowerCase() === name.toLowerCase();
}
