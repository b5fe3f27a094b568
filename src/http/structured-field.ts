import { parseDictionary, parseList } from 'structured-headers';
import { type HeaderValue, headerLines } from './header-value';

/**
 * The members of a Structured Field that is a Dictionary, without parameters: of what has several
 * lines they are one after another.
 *
 * @returns `undefined` if the field is missing or not valid: then it counts for nothing
 * @see RFC 9651 §4.2
 */
export function parseDictionaryField(value: HeaderValue): [string, unknown][] | undefined {
  return parsed(value, (text) => [...parseDictionary(text)].map(([name, [item]]) => [name, item]));
}

/** The same of a Structured Field that is a List. */
export function parseListField(value: HeaderValue): unknown[] | undefined {
  return parsed(value, (text) => parseList(text).map(([item]) => item));
}

function parsed<T>(value: HeaderValue, parse: (text: string) => T): T | undefined {
  const lines = headerLines(value);
  if (lines.length === 0) return undefined;
  try {
    return parse(lines.join(', '));
  } catch {
    return undefined;
  }
}
