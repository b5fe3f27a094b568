import type { IncomingHttpHeaders } from 'node:http';

/** The cookies of a `Cookie` header that count, in the order of their names; `''`: none. */
export function countingCookies(cookie: string, names: ReadonlySet<string>): string {
  return cookie
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => names.has(pair.split('=', 1)[0]!))
    .sort()
    .join('; ');
}

/** The headers as they are looked up: of the cookies, only those that count. */
export function withCountingCookies(
  headers: IncomingHttpHeaders,
  names: ReadonlySet<string> | undefined,
): IncomingHttpHeaders {
  if (names === undefined || headers.cookie === undefined) return headers;
  const { cookie, ...others } = headers;
  const counting = countingCookies(cookie, names);
  return counting === '' ? others : { ...others, cookie: counting };
}

/** Takes the cookies that do not count from those that were parsed, so that no handler goes by them. */
export function hideOtherCookies(req: object, names: ReadonlySet<string>): void {
  const holder = req as Record<string, unknown>;
  for (const property of ['cookies', 'signedCookies']) {
    const parsed = holder[property];
    if (typeof parsed !== 'object' || parsed === null) continue;
    const shown = Object.entries(parsed).filter(([name]) => names.has(name));
    holder[property] = Object.assign(Object.create(null), Object.fromEntries(shown));
  }
}
