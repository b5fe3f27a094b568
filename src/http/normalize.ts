/**
 * Brings the value of a request header to a form in which values of the same meaning are the same
 * text, where that is certain: `Accept-Encoding` and `Accept-Language` are lists without regard to
 * case and space, and the former without regard to order, too. (That of languages has no meaning
 * either by RFC 9110 §12.5.4, but handlers are known to go by it.) Other headers stay as they are.
 *
 * @param isBold - Whether all headers that look like lists are taken for such, and languages for
 *   one without order.
 */
export function normalizeHeader(name: string, value: string, isBold: boolean): string {
  if (name === 'accept-encoding') return members(value.toLowerCase()).sort().join();
  if (name === 'accept-language') {
    const languages = members(value.toLowerCase());
    return (isBold ? languages.sort() : languages).join();
  }
  return isBold && !value.includes('"') ? members(value).join() : value;
}

/** Members of a list, without the space around commas, semicolons and equals signs. */
function members(value: string): string[] {
  return value.split(',').map((member) =>
    member
      .split(';')
      .map((part) => part.trim())
      .join(';'),
  );
}
