/** The value of a header field as `getHeader()` returns it. */
export type HeaderValue = string | number | readonly string[] | undefined;

/** The field lines of `value`, one string each. */
export function headerLines(value: HeaderValue): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'object' ? value : [String(value)];
}
