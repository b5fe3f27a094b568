import type { ServerResponse } from 'node:http';

/** What of Node's own is called as the head leaves, after all middleware has had its say. */
interface Http1Response {
  _storeHeader?(firstLine: string, headers: unknown): void;
}

interface Http2Stream {
  respond?(headers: object, options: unknown): void;
}

/**
 * Calls `listener` once, as Node writes the head: the status is settled, the fields can still be changed.
 * Unlike listeners of `onResponseHead`, it also comes after middleware that was mounted before.
 *
 * @returns `false` if this response offers no such place. `listener` is not called then.
 */
export function onFinalHead(res: ServerResponse, listener: () => void): boolean {
  const { stream } = res as { stream?: Http2Stream };
  if (stream !== undefined) return onRespond(stream, listener);
  const http1 = res as unknown as Http1Response;
  const store = http1._storeHeader;
  if (typeof store !== 'function') return false;
  http1._storeHeader = function storeHeader(this: Http1Response, firstLine, headers) {
    http1._storeHeader = store;
    listener();
    // With no field set before, Node has nothing that the listener could have changed.
    const own = headers ?? (res.getHeaderNames().length > 0 ? asObject(res) : undefined);
    return store.call(this, firstLine, own);
  };
  return true;
}

function asObject(res: ServerResponse): object {
  // Public in Node, but missing from its types.
  const { getRawHeaderNames } = res as unknown as { getRawHeaderNames(): string[] };
  return Object.fromEntries(getRawHeaderNames.call(res).map((name) => [name, res.getHeader(name)]));
}

function onRespond(stream: Http2Stream, listener: () => void): boolean {
  const { respond } = stream;
  if (typeof respond !== 'function') return false;
  stream.respond = function respondLast(this: Http2Stream, headers, options) {
    stream.respond = respond;
    listener();
    return respond.call(this, headers, options);
  };
  return true;
}
