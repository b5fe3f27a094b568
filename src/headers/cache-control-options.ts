import { describe } from '../arguments/describe';
import { nearestName } from '../arguments/nearest-name';
import type { Directive } from '../http/cache-control';
import { isToken } from '../http/token';

/**
 * `true`: the bare directive. `false`, `null` and `undefined`: not this directive. Anything else
 * becomes its value, in quotes where it is no token.
 */
export type DirectiveValue = boolean | number | string | null | undefined;

/** Whether a directive that has no value is sent. `null`, `undefined`: it is not. */
export type DirectiveFlag = boolean | null | undefined;

/**
 * Directives of a response's `Cache-Control`. An extension may be given under its own name, in
 * camelCase or with hyphens. A name that resembles a known one counts as misspelt.
 *
 * @see RFC 9111 §5.2.2
 */
export interface CacheControlDirectives {
  /** Whole seconds for which the response is fresh. */
  readonly maxAge?: number | null | undefined;
  /** The same for shared caches, which follow it in place of `maxAge`. */
  readonly sMaxage?: number | null | undefined;
  /** Another spelling of `sMaxage`. */
  readonly sMaxAge?: number | null | undefined;
  /** Whole seconds after that in which a stale response may be used while it is refreshed. */
  readonly staleWhileRevalidate?: number | null | undefined;
  /** Whole seconds after that in which a stale response may stand in for an error. */
  readonly staleIfError?: number | null | undefined;
  /** Any cache may store the response. Takes the place of a `private` set before. */
  readonly public?: DirectiveFlag;
  /**
   * No shared cache may store the response. Takes the place of a `public` set before. Header names
   * restrict that to these fields: `'Set-Cookie, X-User'`.
   */
  readonly private?: DirectiveFlag | string;
  /** Not to be used before the origin was asked. Header names restrict that to these fields. */
  readonly noCache?: DirectiveFlag | string;
  /** No cache may store the response. */
  readonly noStore?: DirectiveFlag;
  /** Not to be used when stale, whatever happens. */
  readonly mustRevalidate?: DirectiveFlag;
  /** The same, for shared caches only. */
  readonly proxyRevalidate?: DirectiveFlag;
  /** Nobody on the way may change the content, by compression for example. */
  readonly noTransform?: DirectiveFlag;
  /** Not to be stored by caches that do not understand the status code. */
  readonly mustUnderstand?: DirectiveFlag;
  /** Never changes while it is fresh (RFC 8246). */
  readonly immutable?: DirectiveFlag;
  readonly [name: string]: DirectiveValue;
}

const SECONDS_DIRECTIVES = new Set([
  'max-age',
  's-maxage',
  'stale-while-revalidate',
  'stale-if-error',
]);

const FLAGS = new Set([
  'public',
  'no-store',
  'must-revalidate',
  'proxy-revalidate',
  'no-transform',
  'must-understand',
  'immutable',
]);

/** Directives that are sent bare, or with the names of the fields to which they are restricted. */
const FIELD_DIRECTIVES = new Set(['private', 'no-cache']);

/** What somebody writes who means `true` or `false`; none of them is a header's name. */
const MEANT_AS_FLAG = /^(?:true|false|yes|no|on|off|\d*)$/i;

const KNOWN_DIRECTIVES = new Set([...SECONDS_DIRECTIVES, ...FLAGS, ...FIELD_DIRECTIVES]);

// What Node accepts in a header; a line break in it would start another one.
const FIELD_TEXT = /^[\t\x20-\x7e\x80-\xff]*$/;
const QUOTED_STRING = /^"(?:[^"\\]|\\.)*"$/;

/**
 * The directives to send for `options`.
 *
 * @param caller - Whose options they are, for the error.
 * @throws TypeError If `options` is no object of directives, or a name or value cannot be sent.
 */
export function toDirectives(options: CacheControlDirectives, caller: string): Directive[] {
  checkIsObject(options, caller);
  const directives: Directive[] = [];
  for (const [option, value] of Object.entries(options)) {
    const name = nameOf(option, caller);
    if (value === undefined || value === null || value === false) continue;
    checkValue(option, name, value, caller);
    directives.push({ name, value: value === true ? undefined : quoteIfNeeded(String(value)) });
  }
  return directives;
}

function checkIsObject(options: unknown, caller: string): void {
  const isObject =
    Object.prototype.toString.call(options) === '[object Object]' &&
    !(Symbol.iterator in (options as object));
  if (isObject) return;
  const remedy =
    typeof options === 'number'
      ? `{ maxAge: ${options} }`
      : `{ ${optionNamed([options].flat().find((item) => typeof item === 'string'))}: true }`;
  throw new TypeError(
    `${caller} got ${describe(options)}, which is no object of directives. Give one: ${remedy}.`,
  );
}

/** The option for a directive: `noStore` for `no-store`. Any other text gets `private`, as an example. */
function optionNamed(text: string | undefined): string {
  const name = nearestName(text ?? '', KNOWN_DIRECTIVES);
  return toCamelCase(name === undefined || SECONDS_DIRECTIVES.has(name) ? 'private' : name);
}

function toCamelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The directive that an option stands for. @throws TypeError If there is none of that name. */
function nameOf(option: string, caller: string): string {
  const name = hyphenate(option);
  if (KNOWN_DIRECTIVES.has(name)) return name;
  if (name === 's-max-age') return 's-maxage';
  if (!isToken(name)) {
    throw new TypeError(
      `${caller} got the option ${JSON.stringify(option)}, which is no name of a directive. Give one such as maxAge or noStore.`,
    );
  }
  const meant = nearestName(name, KNOWN_DIRECTIVES);
  if (meant === undefined) return name;
  throw new TypeError(
    `${caller} got the unknown directive ${JSON.stringify(option)}. Did you mean ${toCamelCase(meant)}?`,
  );
}

/** `staleIfError` and Django's `stale_if_error` become `stale-if-error`. */
function hyphenate(option: string): string {
  return option.replace(/_|(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase();
}

function checkValue(option: string, name: string, value: unknown, caller: string): void {
  const got = `${caller} got ${option}: ${describe(value)}`;
  if (SECONDS_DIRECTIVES.has(name)) {
    if (/^[0-9]+$/.test(String(value))) return;
    throw new TypeError(`${got}. Give whole seconds, 0 or more.`);
  }
  if (value === true) return;
  if (FLAGS.has(name)) throw new TypeError(`${got}. Give true or false.`);
  if (FIELD_DIRECTIVES.has(name)) {
    const isFields = typeof value === 'string' && !MEANT_AS_FLAG.test(value);
    if (isFields && FIELD_TEXT.test(value)) return;
    throw new TypeError(
      `${got}. Give true, false, or a string of header names, such as 'Set-Cookie'.`,
    );
  }
  if (Number.isFinite(value)) return;
  if (typeof value === 'string' && FIELD_TEXT.test(value)) return;
  throw new TypeError(
    `${got}, which no header can hold. Give true, a finite number, or a string of printable Latin-1 characters.`,
  );
}

function quoteIfNeeded(value: string): string {
  if (isToken(value) || QUOTED_STRING.test(value)) return value;
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}
