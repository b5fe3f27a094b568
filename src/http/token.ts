const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Whether `text` can be the name of a header or of a directive, or a value without quotes.
 *
 * @see RFC 9110 §5.6.2
 */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}
