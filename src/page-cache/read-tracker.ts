import type { ServerResponse } from 'node:http';
import type { Request, Response } from '../headers/middleware';
import { isKeyedByHost, trustsProxy } from './request-origin';
import { watchedHeaders } from './watched-headers';

/** What of a request the handlers looked at. */
export interface Reads {
  /** Names of headers, in lower case. */
  readonly headers: ReadonlySet<string>;
  /** Something that tells visitors apart and that no header stands for, such as `req.ip`. */
  readonly identity: string | undefined;
}

/** Notes which inputs that may select a representation are read from a request. */
export interface ReadTracker {
  /** What was read so far. */
  readonly reads: Reads;
}

/** How to watch a request. */
export interface ReadTrackerOptions {
  /** Header and property names, in lower case, that are not watched. */
  readonly ignored: ReadonlySet<string>;
  /** Whether the cookie that a session hangs on is sure to be in the key. */
  readonly isSessionKeyed: boolean;
}

/**
 * Headers that select no representation: of the connection and the message, directives, what asks
 * for a part, traces of the way. Any other may, as those of frameworks do, whatever their names.
 * Not watched either is what tells of the browser in so many words that hardly a page would be used
 * twice; handlers that go by it must say so themselves.
 */
const NOT_SELECTING = new Set([
  ...['connection', 'content-length', 'date', 'expect', 'host', 'keep-alive', 'max-forwards'],
  ...['priority', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'via'],
  ...['http2-settings', 'upgrade-insecure-requests'],
  ...['cache-control', 'pragma'],
  ...['if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'range'],
  ...['baggage', 'traceparent', 'tracestate'],
  // Express looks for both spellings.
  ...['referer', 'referrer', 'user-agent'],
]);

/** Properties that middleware has made of a header, and that header. */
const MADE_OF_HEADERS = {
  cookies: 'cookie',
  signedCookies: 'cookie',
  session: 'cookie',
  sessionID: 'cookie',
} as const;

/** Properties that tell visitors apart by more than headers. */
const IDENTITIES = ['ip', 'ips', 'user', 'auth', 'rawHeaders', 'headersDistinct'] as const;

/** Express's own readings of forwarded headers, whose outcome is in the key, or most often. */
const IN_KEY = ['host', 'hostname', 'protocol', 'secure', 'subdomains'] as const;

/**
 * Watches what is read of a request from now on, until the response has ended. What middleware
 * further out reads while the response is sent does not count: it has done so on every request,
 * and says in `Vary` what came of it.
 */
export function trackReads(
  req: Request,
  res: Response,
  { ignored, isSessionKeyed }: ReadTrackerOptions,
): ReadTracker {
  const headers = new Set<string>();
  let identity: string | undefined;
  let suspended = 0;
  const isHostKeyed = isKeyedByHost(req);
  const isTrusting = trustsProxy(req);

  const noteHeader = (name: string): void => {
    const isRelevant = name === 'host' ? !isHostKeyed : isSelecting(name);
    if (suspended === 0 && isRelevant && !ignored.has(name)) headers.add(name);
  };
  const noteIdentity = (name: string): void => {
    if (suspended === 0 && !ignored.has(name.toLowerCase())) identity ??= name;
  };
  const suspend = <T>(work: () => T): T => {
    suspended += 1;
    try {
      return work();
    } finally {
      suspended -= 1;
    }
  };

  Object.defineProperty(req, 'headers', {
    configurable: true,
    enumerable: true,
    writable: true,
    value: watchedHeaders(req.headers, noteHeader),
  });
  for (const [name, header] of Object.entries(MADE_OF_HEADERS)) {
    watchProperty(req, name, (read) => {
      if (name.startsWith('session') && !isSessionKeyed) noteIdentity(name);
      else if (!ignored.has(name.toLowerCase())) noteHeader(header);
      return read();
    });
  }
  for (const name of IDENTITIES) {
    watchProperty(req, name, (read, isSetInside) => {
      // What handlers have set themselves, they have made of what was seen.
      if (!isSetInside) noteIdentity(name);
      return suspend(read);
    });
  }
  // An app below may trust other proxies than the one in whose name the key was made.
  for (const name of IN_KEY) {
    watchProperty(req, name, (read) => (trustsProxy(req) === isTrusting ? suspend(read) : read()));
  }
  ignoreSending(res as ServerResponse, suspend, () => {
    suspended = Number.POSITIVE_INFINITY;
  });

  return {
    get reads() {
      return { headers, identity };
    },
  };
}

/** Whether `name` is that of a header that may select, and not of a method of all objects. */
function isSelecting(name: string): boolean {
  if (NOT_SELECTING.has(name) || name in Object.prototype) return false;
  return /^[!#-'*+\-.^`|~\da-z_]+$/.test(name);
}

/**
 * Watched even where nothing is: that nobody is logged in makes another page, too, and the cache
 * may stand in front of the Express app that will bring the rest.
 */
const WATCHED_IN_ABSENCE = new Set([
  ...['auth', 'cookies', 'ip', 'ips', 'session', 'sessionID', 'signedCookies', 'user'],
  ...IN_KEY,
]);

/** Has `watch` called with the original read whenever this property is read. */
function watchProperty(
  req: Request,
  name: string,
  watch: (read: () => unknown, isSetInside: boolean) => unknown,
): void {
  if (!(name in req) && !WATCHED_IN_ABSENCE.has(name)) return;
  const own = Object.getOwnPropertyDescriptor(req, name);
  if (own?.configurable === false) return;
  let value = own && 'value' in own ? (own.value as unknown) : undefined;
  let isPlain = own !== undefined && 'value' in own;
  let isSetInside = false;
  const read = (): unknown => {
    if (isPlain) return value;
    if (own?.get !== undefined) return own.get.call(req);
    // That of the moment: each Express app on the way gives the request a prototype of its own.
    return Reflect.get(Object.getPrototypeOf(req), name, req);
  };
  Object.defineProperty(req, name, {
    configurable: true,
    enumerable: own?.enumerable ?? name in req,
    get: () => watch(read, isSetInside),
    set(next: unknown) {
      value = next;
      isPlain = true;
      isSetInside = true;
    },
  });
}

/** Leaves out what is read inside the methods that send; after `end`, nothing counts any more. */
function ignoreSending(
  res: ServerResponse,
  suspend: <T>(work: () => T) => T,
  onEnd: () => void,
): void {
  type Method = (...args: unknown[]) => unknown;
  const methods = res as unknown as Record<string, Method>;
  for (const name of ['writeHead', 'write', 'end', 'flushHeaders']) {
    const original = methods[name]!;
    methods[name] = function sending(this: ServerResponse, ...args: unknown[]) {
      const result = suspend(() => original.apply(this, args));
      if (name === 'end') onEnd();
      return result;
    };
  }
}
