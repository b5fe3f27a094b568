import type { ServerResponse } from 'node:http';
import type { Request, Response } from '../headers/middleware';
import { isKeyedByHost, trustsProxy } from './request-origin';
import { type HeaderWatcher, watchedHeaders } from './watched-headers';

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

/** A property of requests that is watched. */
class WatchedProperty {
  /** Shown where there was a property that is enumerable. */
  readonly visible: PropertyDescriptor & Required<Pick<PropertyDescriptor, 'get'>>;
  readonly hidden: PropertyDescriptor;

  /**
   * @param kind - `'identity'`: it tells visitors apart by more than headers. `'key'`: Express's own
   *   reading of forwarded headers, whose outcome is in the key, or most often. `'cookie'`: middleware
   *   has made it of that header.
   * @param isExpected - Watched even where there is nothing: that nobody is logged in makes another
   *   page, too, and the cache may stand in front of the Express app that will bring the rest.
   */
  constructor(
    readonly name: string,
    readonly kind: 'identity' | 'key' | 'cookie',
    readonly isExpected: boolean,
  ) {
    // The same for all requests: V8 has a hidden class for each pair of accessors.
    const property = this;
    this.visible = {
      configurable: true,
      enumerable: true,
      get(this: Tracked) {
        return this[TRACKER]?.read(property);
      },
      set(this: Tracked, value: unknown) {
        this[TRACKER]?.set(property, value);
      },
    };
    this.hidden = { ...this.visible, enumerable: false };
  }
}

const WATCHED = [
  ...['cookies', 'signedCookies', 'session', 'sessionID'].map(
    (name) => new WatchedProperty(name, 'cookie', true),
  ),
  ...['ip', 'ips', 'user', 'auth'].map((name) => new WatchedProperty(name, 'identity', true)),
  ...['rawHeaders', 'headersDistinct'].map((name) => new WatchedProperty(name, 'identity', false)),
  ...['host', 'hostname', 'protocol', 'secure', 'subdomains'].map(
    (name) => new WatchedProperty(name, 'key', true),
  ),
];

/** By their prototype, how requests are watched whose properties are all inherited. */
const accessorsOfPrototypes = new WeakMap<object, readonly (PropertyDescriptor | undefined)[]>();

function accessorsFor(prototype: object): readonly (PropertyDescriptor | undefined)[] {
  let accessors = accessorsOfPrototypes.get(prototype);
  if (accessors === undefined) {
    accessors = WATCHED.map(({ name, visible, hidden, isExpected }) => {
      if (name in prototype) return visible;
      return isExpected ? hidden : undefined;
    });
    accessorsOfPrototypes.set(prototype, accessors);
  }
  return accessors;
}

const TRACKER = Symbol('cachewright.reads');

/** A request, with the tracker that is innermost; a response, with the one that was the first. */
interface Tracked {
  [TRACKER]?: ReadTracker;
}

/** Notes which inputs that may select a representation are read from a request. */
export class ReadTracker implements HeaderWatcher {
  /** Names of headers that were read, in lower case. */
  readonly headers = new Set<string>();
  /** Something that was read, tells visitors apart, and no header stands for, such as `ip`. */
  identity: string | undefined;
  readonly #req: Request;
  readonly #ignored: ReadonlySet<string>;
  readonly #isSessionKeyed: boolean;
  readonly #isHostKeyed: boolean;
  readonly #isTrusting: boolean;
  /** That of a cache around this one, which watches the same properties. */
  readonly #outer: ReadTracker | undefined;
  #suspended = 0;
  /** Properties that the request had of its own, or that were set since. */
  #own: Map<WatchedProperty, PropertyDescriptor> | undefined;
  #setInside: Set<WatchedProperty> | undefined;
  /** Those of the response that send, as they were. */
  readonly #methods: Partial<Record<SendingMethod, Method>> = {};

  /**
   * Watches what is read of a request from now on, until the response has ended. What middleware
   * further out reads while the response is sent does not count: it has done so on every request,
   * and says in `Vary` what came of it.
   */
  constructor(req: Request, res: Response, { ignored, isSessionKeyed }: ReadTrackerOptions) {
    this.#req = req;
    this.#ignored = ignored;
    this.#isSessionKeyed = isSessionKeyed;
    this.#isHostKeyed = isKeyedByHost(req);
    this.#isTrusting = trustsProxy(req);
    this.#outer = (req as Tracked)[TRACKER];
    (req as Tracked)[TRACKER] = this;
    Object.defineProperty(req, 'headers', {
      configurable: true,
      enumerable: true,
      writable: true,
      value: watchedHeaders(req.headers, this),
    });
    const inherited = accessorsFor(Object.getPrototypeOf(req));
    for (let i = 0; i < WATCHED.length; i += 1) {
      const property = WATCHED[i]!;
      if (Object.hasOwn(req, property.name)) this.#watchOwn(property);
      else if (inherited[i] !== undefined) Object.defineProperty(req, property.name, inherited[i]!);
    }
    this.#ignoreSending(res as ServerResponse);
  }

  noteHeader(name: string): void {
    const isRelevant = name === 'host' ? !this.#isHostKeyed : isSelecting(name);
    if (this.#suspended === 0 && isRelevant && !this.#ignored.has(name)) this.headers.add(name);
  }

  #noteIdentity(name: string): void {
    if (this.#suspended === 0 && !this.#ignored.has(name.toLowerCase())) this.identity ??= name;
  }

  /** Called for whoever reads this property. */
  read(property: WatchedProperty): unknown {
    const { name, kind } = property;
    if (kind === 'key') {
      // An app below may trust other proxies than the one in whose name the key was made.
      const isAsKeyed = trustsProxy(this.#req) === this.#isTrusting;
      return isAsKeyed ? this.#suspendedly(property) : this.#original(property);
    }
    if (kind === 'identity') {
      // What handlers have set themselves, they have made of what was seen.
      if (this.#setInside?.has(property) !== true) this.#noteIdentity(name);
      return this.#suspendedly(property);
    }
    if (name.startsWith('session') && !this.#isSessionKeyed) this.#noteIdentity(name);
    else if (!this.#ignored.has(name.toLowerCase())) this.noteHeader(kind);
    return this.#original(property);
  }

  /** Called for whoever sets this property. */
  set(property: WatchedProperty, value: unknown): void {
    const own = this.#own?.get(property);
    if (own?.set !== undefined) {
      own.set.call(this.#req, value);
      return;
    }
    this.#own ??= new Map();
    this.#own.set(property, { value });
    this.#setInside ??= new Set();
    this.#setInside.add(property);
  }

  #suspendedly(property: WatchedProperty): unknown {
    this.#suspended += 1;
    try {
      return this.#original(property);
    } finally {
      this.#suspended -= 1;
    }
  }

  /** What is read where nobody watches, or only those further out. */
  #original(property: WatchedProperty): unknown {
    const req = this.#req;
    const own = this.#own?.get(property);
    if (own !== undefined) return own.get === undefined ? own.value : own.get.call(req);
    // That of the moment: each Express app on the way gives the request a prototype of its own.
    return Reflect.get(Object.getPrototypeOf(req), property.name, req);
  }

  #watchOwn(property: WatchedProperty): void {
    const req = this.#req;
    const { name, visible, hidden } = property;
    const own = Object.getOwnPropertyDescriptor(req, name)!;
    if (own.configurable === false) return;
    const outer = this.#outer;
    // The same accessor serves whoever watches last.
    const isOuters = own.get === visible.get && outer !== undefined;
    this.#own ??= new Map();
    this.#own.set(
      property,
      isOuters
        ? { get: () => outer.read(property), set: (value) => outer.set(property, value) }
        : own,
    );
    if (!isOuters) Object.defineProperty(req, name, own.enumerable === true ? visible : hidden);
  }

  /** Leaves out what is read inside the methods that send; after `end`, nothing counts any more. */
  #ignoreSending(res: ServerResponse): void {
    const methods = res as unknown as Record<SendingMethod, Method> & Tracked;
    const isFirst = methods[TRACKER] === undefined;
    if (isFirst) methods[TRACKER] = this;
    for (const name of SENDING_METHODS) {
      this.#methods[name] = methods[name];
      // As with heads, functions of its own for each response would keep garbage alive.
      methods[name] = isFirst ? sending[name] : this.#sender(name);
    }
  }

  #sender(name: SendingMethod): Method {
    const tracker = this;
    return function sending(this: unknown, ...args) {
      return tracker.send(name, this, args);
    };
  }

  /** Calls a method that sends, of whoever was there before. */
  send(name: SendingMethod, res: unknown, args: unknown[]): unknown {
    this.#suspended += 1;
    try {
      const result = this.#methods[name]!.apply(res, args);
      if (name === 'end') this.#suspended += 1;
      return result;
    } finally {
      this.#suspended -= 1;
    }
  }
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

const SENDING_METHODS = ['writeHead', 'write', 'end', 'flushHeaders'] as const;

type SendingMethod = (typeof SENDING_METHODS)[number];

const sending: Record<SendingMethod, Method> = {
  writeHead(...args) {
    return (this as Tracked)[TRACKER]!.send('writeHead', this, args);
  },
  write(...args) {
    return (this as Tracked)[TRACKER]!.send('write', this, args);
  },
  end(...args) {
    return (this as Tracked)[TRACKER]!.send('end', this, args);
  },
  flushHeaders(...args) {
    return (this as Tracked)[TRACKER]!.send('flushHeaders', this, args);
  },
};

/** Whether `name` is that of a header that may select, and not of a method of all objects. */
function isSelecting(name: string): boolean {
  if (NOT_SELECTING.has(name) || name in Object.prototype) return false;
  return /^[!#-'*+\-.^`|~\da-z_]+$/.test(name);
}
