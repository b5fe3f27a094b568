import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Response } from './middleware';

type HeadArguments = [
  statusCode: number,
  reasonOrHeaders?: string | HeadHeaders,
  headers?: HeadHeaders,
];

/** All forms in which `writeHead` takes headers: an object, a flat array, an array of pairs. */
type HeadHeaders =
  | OutgoingHttpHeaders
  | readonly OutgoingHttpHeader[]
  | readonly (readonly [string, OutgoingHttpHeader])[];

/**
 * Calls `listener` once, as the head of the response is about to be sent: its last chance to read
 * and change status and headers. What the handler gave to `writeHead` is on the response by then.
 *
 * Listeners run last registered first, so that the outermost middleware sees what all others did;
 * Django's response phase. Those that other packages install the same way (compression, sessions)
 * keep their place in that order.
 *
 * @param isWanted - Asked first; if it says no, the head is sent as it was given.
 */
export function onResponseHead(
  response: Response,
  listener: () => void,
  isWanted: () => boolean = always,
): void {
  const res = response as ServerResponse;
  const { writeHead } = res;
  let isFired = false;
  res.writeHead = function onHead(this: ServerResponse, ...args: HeadArguments) {
    // A second writeHead() is the handler's mistake, and Node's to report.
    if (isFired || res.headersSent || !isWanted()) return writeHead.apply(this, args as never);
    takeHead(res, args);
    isFired = true;
    try {
      listener();
      return writeHead.call(this, res.statusCode);
    } catch (error) {
      // No head was sent, and the error page that follows will have one of its own.
      isFired = res.headersSent;
      throw error;
    }
  } as ServerResponse['writeHead'];
}

const always = () => true;

/** Puts status and headers given to `writeHead` on the response, overriding what was set before. */
function takeHead(res: ServerResponse, args: HeadArguments): void {
  const [statusCode, reasonOrHeaders, headersAfterReason] = args;
  res.statusCode = statusCode;
  if (typeof reasonOrHeaders === 'string') {
    // HTTP/2 has no reason phrase, and Node warns of one.
    if (!('stream' in res)) res.statusMessage = reasonOrHeaders;
  }
  const headers =
    headersAfterReason ?? (typeof reasonOrHeaders === 'string' ? undefined : reasonOrHeaders);
  if (headers === undefined || headers === null) return;
  for (const [name, values] of groupByName(headers)) {
    res.setHeader(name, values.length === 1 ? values[0]! : (values as string[]));
  }
}

/** Values by name, one entry for all spellings of a name, in the order of first appearance. */
function groupByName(headers: HeadHeaders): Iterable<[string, OutgoingHttpHeader[]]> {
  if (!Array.isArray(headers)) {
    return Object.entries(headers).map(([name, value]) => [name, [value as OutgoingHttpHeader]]);
  }
  const groups = new Map<string, [string, OutgoingHttpHeader[]]>();
  const isPairs = Array.isArray(headers[0]);
  for (let i = 0; i < headers.length; i += isPairs ? 1 : 2) {
    const [name, value] = isPairs ? headers[i] : [headers[i], headers[i + 1]];
    const group = groups.get(String(name).toLowerCase());
    const values = Array.isArray(value) ? value : [value];
    if (group === undefined) groups.set(String(name).toLowerCase(), [String(name), [...values]]);
    else group[1].push(...values);
  }
  return groups.values();
}
