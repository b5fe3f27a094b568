import type { Directive } from '../http/cache-control';
import { isToken } from '../http/token';

/**
 * `true`: the bare directive. `false`, `null` and `undefined`: not this directive. Anything else
 * becomes its value, in quotes where it is no token.
 */
export type DirectiveValue = boolean | number | string | null | undefined;

/**
 * Directives of a response's `Cache-Control`. Any name may be given, also one not listed here;
 * in camelCase, it is sent with hyphens.
 *
 * @see RFC 9111 §5.2.2
 */
export interface CacheControlDirectives {
  /** Whole seconds for which the response is fresh. */
  readonly maxAge?: number | null | undefined;
  /** The same for shared caches, which follow it in place of `maxAge`. */
  readonly sMaxage?: number | null | undefined;
  /** Whole seconds after that in which a stale response may be used while it is refreshed. */
  readonly staleWhileRevalidate?: number | null | undefined;
  /** Whole seconds after that in which a stale response may stand in for an error. */
  readonly staleIfError?: number | null | undefined;
  /** Any cache may store the response. Takes the place of a `private` set before. */
  readonly public?: DirectiveValue;
  /** No shared cache may store the response. Takes the place of a `public` set before. */
  readonly private?: DirectiveValue;
  /** Not to be used before the origin was asked. A header name restricts that to this field. */
  readonly noCache?: DirectiveValue;
  /** No cache may store the response. */
  readonly noStore?: DirectiveValue;
  /** Not to be used when stale, whatever happens. */
  readonly mustRevalidate?: DirectiveValue;
  /** The same, for shared caches only. */
  readonly proxyRevalidate?: DirectiveValue;
  /** Nobody on the way may change the content, by compression for example. */
  readonly noTransform?: DirectiveValue;
  /** Not to be stored by caches that do not understand the status code. */
  readonly mustUnderstand?: DirectiveValue;
  /** Never changes while it is fresh (RFC 8246). */
  readonly immutable?: DirectiveValue;
  readonly [name: string]: DirectiveValue;
}

const SECONDS_DIRECTIVES = new Set([
  'max-age',
  's-maxage',
  'stale-while-revalidate',
  'stale-if-error',
]);

// What Node accepts in a header; a line break in it would start another one.
const FIELD_TEXT = /^[\t\x20-\x7e\x80-\xff]*$/;
const QUOTED_STRING = /^"(?:[^"\\]|\\.)*"$/;

/**
 * The directives to send for `options`.
 *
 * @param caller - Whose options they are, for the error.
 * @throws TypeError If a name or a value cannot be sent.
 */
export function toDirectives(options: CacheControlDirectives, caller: string): Directive[] {
  const directives: Directive[] = [];
  for (const [option, value] of Object.entries(options)) {
    const name = hyphenate(option);
    if (!isToken(name)) {
      throw new TypeError(
        `${caller} got the option ${JSON.stringify(option)}, which is no name of a directive. Give one such as maxAge or noStore.`,
      );
    }
    if (value === undefined || value === null || value === false) continue;
    checkValue(option, name, value, caller);
    directives.push({ name, value: value === true ? undefined : quoteIfNeeded(String(value)) });
  }
  return directives;
}

/** `staleIfError` and Django's `stale_if_error` become `stale-if-error`. */
function hyphenate(option: string): string {
  return option.replace(/_|(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase();
}

function checkValue(option: string, name: string, value: unknown, caller: string): void {
  if (SECONDS_DIRECTIVES.has(name)) {
    if (/^[0-9]+$/.test(String(value))) return;
    throw new TypeError(
      `${caller} got ${option}: ${describe(value)}. Give whole seconds, 0 or more.`,
    );
  }
  if (value === true || Number.isFinite(value)) return;
  if (typeof value === 'string' && FIELD_TEXT.test(value)) return;
  throw new TypeError(
    `${caller} got ${option}: ${describe(value)}, which no header can hold. Give true, a finite number, or a string of printable Latin-1 characters.`,
  );
}

function quoteIfNeeded(value: string): string {
  if (isToken(value) || QUOTED_STRING.test(value)) return value;
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

function describe(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
