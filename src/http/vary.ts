import { append } from 'vary';
import { type HeaderValue, headerLines } from './header-value';

/**
 * The header names in a `Vary` field, each once, as first spelt. `*` is among them if it was sent.
 *
 * @see RFC 9110 §12.5.5
 */
export function parseVary(value: HeaderValue): string[] {
  const names = new Map<string, string>();
  for (const line of headerLines(value)) {
    for (const element of line.split(',')) {
      const name = element.trim();
      const key = name.toLowerCase();
      if (name !== '' && !names.has(key)) names.set(key, name);
    }
  }
  return [...names.values()];
}

/** Whether a `Vary` field lists the header name, in any case. */
export function varyIncludes(value: HeaderValue, name: string): boolean {
  const wanted = name.trim().toLowerCase();
  return parseVary(value).some((listed) => listed.toLowerCase() === wanted);
}

/**
 * The `Vary` field that also lists `names`; `*` alone if that is among them or was there.
 *
 * @throws TypeError If one of `names` cannot be a header name.
 */
export function appendVary(existing: HeaderValue, names: readonly string[]): string {
  return append(parseVary(existing).join(', '), [...names]);
}
