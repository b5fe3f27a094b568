import type { IncomingHttpHeaders } from 'node:http';
import type { Request } from '../../headers/middleware';
import { countsWhenRead } from './headers-that-count';
import { ALL_HEADERS, isHeaderInput } from './input-values';
import { headersOf } from './watched-headers';

/** Shows the code inside only the headers that the site has listed (`key.headers`). */
export function showListedHeaders(req: Request, listed: ReadonlySet<string>): void {
  const shown = { ...headersOf(req) };
  narrowHeaders(shown, listed);
  (req as { headers: IncomingHttpHeaders }).headers = shown;
}

/** Removes the headers that count when they are read, but are not listed. */
export function narrowHeaders(headers: IncomingHttpHeaders, listed: ReadonlySet<string>): void {
  for (const name of Object.keys(headers)) {
    if (countsWhenRead(name) && !listed.has(name)) delete headers[name];
  }
}

/** The headers that a refresh of a page in the background needs: those that are in its key. */
export function headersForRefresh(
  inputs: readonly string[],
  headers: IncomingHttpHeaders,
): Record<string, string> {
  const names = inputs.includes(ALL_HEADERS)
    ? Object.keys(headers).filter(countsWhenRead)
    : inputs.filter(isHeaderInput);
  const sent: Record<string, string> = {};
  for (const name of names) {
    const value = headers[name];
    if (value !== undefined) sent[name] = String(value);
  }
  return sent;
}
