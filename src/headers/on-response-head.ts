import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Response } from './middleware';

export type HeadArguments = [
  statusCode: number,
  reasonOrHeaders?: string | HeadHeaders,
  headers?: HeadHeaders,
];

/** All forms in which `writeHead` takes headers: an object, a flat array, an array of pairs. */
type HeadHeaders =
  | OutgoingHttpHeaders
  | readonly OutgoingHttpHeader[]
  | readonly (readonly [string, OutgoingHttpHeader])[];

/** Who has a say before the head of a response is sent. */
export interface HeadWatcher {
  /** Asked first; if it says no, the head is sent as it was given. */
  isWanted(): boolean;
  onHead(): void;
}

/**
 * Calls `listener` once, as the head of the response is about to be sent: its last chance to read
 * and change status and headers. What the handler gave to `writeHead` is on the response by then.
 *
 * Listeners run last registered first, so that the outermost middleware sees what all others did;
 * Django's response phase. Those that other packages install the same way (compression, sessions)
 * keep their place in that order.
 */
export function onResponseHead(response: Response, listener: () => void): void {
  watchHead(response, { isWanted: always, onHead: listener });
}

const always = () => true;

const WATCH = Symbol('cachewright.head');

interface WatchedResponse extends ServerResponse {
  [WATCH]?: HeadWatch;
}

/** The same for one who may turn out not to be interested. */
export function watchHead(response: Response, watcher: HeadWatcher): void {
  const res = response as WatchedResponse;
  const watch = res[WATCH];
  if (watch === undefined) {
    // A function of its own for each response, kept in a property of it, would outlive both: V8
    // remembers functions that are properties, and the garbage grows old.
    res[WATCH] = new HeadWatch(res, watcher);
    res.writeHead = writeWatchedHead as ServerResponse['writeHead'];
  } else if (res.writeHead === writeWatchedHead) {
    watch.add(watcher);
  } else {
    // Somebody else's function has come between, and keeps its place.
    const outer = new HeadWatch(res, watcher);
    res.writeHead = function writeHead(this: ServerResponse, ...args: HeadArguments) {
      return outer.write(this, args);
    } as ServerResponse['writeHead'];
  }
}

function writeWatchedHead(this: WatchedResponse, ...args: HeadArguments): ServerResponse {
  return this[WATCH]!.write(this, args);
}

/**
 * Whether packages such as sessions have put a function of their own in the place of `writeHead`, by
 * which they may still add fields.
 */
export function hasOtherHeadListeners(response: Response): boolean {
  const res = response as WatchedResponse;
  if (!Object.hasOwn(res, 'writeHead')) return false;
  return res.writeHead !== writeWatchedHead || res[WATCH]?.isAroundOthers === true;
}

class HeadWatch {
  /** Whether it has wrapped a function that somebody else had put there. */
  readonly isAroundOthers: boolean;
  readonly #res: ServerResponse;
  readonly #writeHead: ServerResponse['writeHead'];
  readonly #watchers: HeadWatcher[];
  #isFired = false;

  constructor(res: ServerResponse, watcher: HeadWatcher) {
    this.#res = res;
    this.isAroundOthers = Object.hasOwn(res, 'writeHead');
    this.#writeHead = res.writeHead;
    this.#watchers = [watcher];
  }

  add(watcher: HeadWatcher): void {
    this.#watchers.push(watcher);
  }

  /** @param self - As it was called on, which may be something around the response. */
  write(self: ServerResponse, args: HeadArguments): ServerResponse {
    const res = this.#res;
    // A second writeHead() is the handler's mistake, and Node's to report.
    if (this.#isFired || res.headersSent) return this.#writeHead.apply(self, args as never);
    let isTaken = false;
    try {
      for (let i = this.#watchers.length - 1; i >= 0; i -= 1) {
        const watcher = this.#watchers[i]!;
        if (!watcher.isWanted()) continue;
        if (!isTaken) takeHead(res, args);
        isTaken = true;
        this.#isFired = true;
        watcher.onHead();
      }
      if (isTaken) return this.#writeHead.call(self, res.statusCode);
      return this.#writeHead.apply(self, args as never);
    } catch (error) {
      // No head was sent, and the error page that follows will have one of its own.
      this.#isFired = res.headersSent;
      throw error;
    }
  }
}

/** Puts status and headers given to `writeHead` on the response, overriding what was set before. */
export function takeHead(res: ServerResponse, args: HeadArguments): void {
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
