import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Request, Response } from '../headers/middleware';

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
const MADE_OF_HEADERS = { cookies: 'cookie', signedCookies: 'cookie', session: 'cookie' } as const;

/** Properties that tell visitors apart by more than headers. */
const IDENTITIES = ['ip', 'ips', 'user', 'rawHeaders', 'headersDistinct'] as const;

/** Express's own readings of forwarded headers, whose outcome is in the key. */
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

  const noteHeader = (name: string): void => {
    if (suspended === 0 && isSelecting(name) && !ignored.has(name)) headers.add(name);
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
      if (name === 'session' && !isSessionKeyed) noteIdentity(name);
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
  for (const name of IN_KEY) watchProperty(req, name, suspend);
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

/** The headers behind those that are watched. */
const unwatched = new WeakMap<IncomingHttpHeaders, IncomingHttpHeaders>();

/** The headers of a request, for a cache's own reading, which is no handler's. */
export function headersOf(req: Request): IncomingHttpHeaders {
  let { headers } = req;
  for (let inner = unwatched.get(headers); inner !== undefined; inner = unwatched.get(headers)) {
    headers = inner;
  }
  return headers;
}

function watchedHeaders(
  headers: IncomingHttpHeaders,
  note: (name: string) => void,
): IncomingHttpHeaders {
  const noteKey = (key: string | symbol): void => {
    if (typeof key === 'string') note(key);
  };
  const watched = new Proxy(headers, {
    get(target, key) {
      noteKey(key);
      return Reflect.get(target, key);
    },
    has(target, key) {
      noteKey(key);
      return Reflect.has(target, key);
    },
    getOwnPropertyDescriptor(target, key) {
      noteKey(key);
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
    ownKeys(target) {
      // Whoever goes through all of them learns also which are not there. Of these the two that
      // make a page somebody's own.
      note('cookie');
      note('authorization');
      return Reflect.ownKeys(target);
    },
  });
  unwatched.set(watched, headers);
  return watched;
}

/** Watched even where nothing is: that nobody is logged in makes another page, too. */
const WATCHED_IN_ABSENCE = new Set(['cookies', 'session', 'signedCookies', 'user']);

/** Has `watch` called with the original read whenever this property is read. */
function watchProperty(
  req: Request,
  name: string,
  watch: (read: () => unknown, isSetInside: boolean) => unknown,
): void {
  if (!(name in req) && !WATCHED_IN_ABSENCE.has(name)) return;
  const own = Object.getOwnPropertyDescriptor(req, name);
  if (own?.configurable === false) return;
  const prototype = Object.getPrototypeOf(req) as object;
  let value = own && 'value' in own ? (own.value as unknown) : undefined;
  let isPlain = own !== undefined && 'value' in own;
  let isSetInside = false;
  const read = (): unknown => {
    if (isPlain) return value;
    return own?.get === undefined ? Reflect.get(prototype, name, req) : own.get.call(req);
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
