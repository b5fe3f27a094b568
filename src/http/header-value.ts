/** The value of a header field as `getHeader()` returns it. */
export type HeaderValue = string | number | readonly string[] | undefined;

/** Whether `text` can be sent as a field value: no line end, no other control character. */
export function isFieldText(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text);
}

/** The field lines of `value`, one string each. */
export function headerLines(value: HeaderValue): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'object' ? value : [String(value)];
}
