import type { IncomingHttpHeaders } from 'node:http';
import { inspect } from 'node:util';
import type { Request } from '../../headers/middleware';
import { countsWhenRead, isFieldName } from './headers-that-count';

/** Told what is read of headers. */
export interface HeaderWatcher {
  /** @param name - In lower case, whether the request has such a header or not. */
  noteHeader(name: string): void;
  /** All headers were read, those that are absent, too. */
  noteAllHeaders(): void;
}

const WATCH = Symbol('cachewright.headers');
const RAW = Symbol('cachewright.raw-headers');
const OBSERVER = Symbol('cachewright.observer');

interface HeaderWatch {
  readonly watcher: HeaderWatcher;
  readonly raw: IncomingHttpHeaders;
  readonly names: readonly string[];
  /** How many headers were read one after the other, in the order in which they stand. */
  sequence: number;
}

interface WatchedHeaders {
  [WATCH]: HeaderWatch;
}

/**
 * A copy of the headers that tells what is read of it. It is an ordinary object, as a Proxy could not be
 * cloned (`structuredClone`, `postMessage`): each header is a property with a getter, and the prototype
 * sees reads of what is absent.
 *
 * @param names - Of the headers that the copy has.
 */
export function watchHeaders(
  raw: IncomingHttpHeaders,
  watcher: HeaderWatcher,
  names: readonly string[] = Object.keys(raw),
): IncomingHttpHeaders {
  const headers = Object.create(WATCHING_PROTOTYPE) as IncomingHttpHeaders & WatchedHeaders;
  const watch: HeaderWatch = { watcher, raw, names, sequence: 0 };
  Object.defineProperty(headers, WATCH, { value: watch });
  for (const name of names) Object.defineProperty(headers, name, descriptorOf(name));
  return headers;
}

/**
 * Headers that tell what is read of them through a Proxy, which takes less time to make. For middleware
 * before the look-up, which runs for every request.
 */
export function observeHeaders(
  raw: IncomingHttpHeaders,
  watcher: HeaderWatcher,
): IncomingHttpHeaders {
  return new Proxy(raw, new ObservingHandler(watcher));
}

/** The watcher of headers that {@link observeHeaders} made; `undefined` for any others. */
export function observerOf(headers: IncomingHttpHeaders): HeaderWatcher | undefined {
  return (headers as { [OBSERVER]?: HeaderWatcher })[OBSERVER];
}

/** The headers behind those that {@link observeHeaders} made; any others as they are. */
export function unobserved(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return (headers as { [RAW]?: IncomingHttpHeaders })[RAW] ?? headers;
}

/** Where a watched request has the headers that code inside sees. */
export const SEEN_HEADERS = Symbol('cachewright.seen-headers');

/** The headers of a request for the cache's own use: reading these counts as nobody's read. */
export function headersOf(req: Request): IncomingHttpHeaders {
  const { [SEEN_HEADERS]: seen } = req as { [SEEN_HEADERS]?: IncomingHttpHeaders };
  let headers = unobserved(seen ?? req.headers);
  const watch = (headers as Partial<WatchedHeaders>)[WATCH];
  if (watch !== undefined) headers = currentHeaders(headers, watch);
  return headers;
}

/** What code around this cache sees now: an outer cache's copy, with what was changed of it. */
function currentHeaders(headers: IncomingHttpHeaders, watch: HeaderWatch): IncomingHttpHeaders {
  const current: IncomingHttpHeaders = {};
  for (const name of Object.keys(headers)) {
    const own = Object.getOwnPropertyDescriptor(headers, name)!;
    current[name] = own.get === undefined ? own.value : watch.raw[name];
  }
  return current;
}

/** One accessor for all requests: V8 makes a hidden class for each pair of functions. */
const descriptors = new Map<string, PropertyDescriptor>();
const MAX_DESCRIPTORS = 1000;

function descriptorOf(name: string): PropertyDescriptor {
  let descriptor = descriptors.get(name);
  if (descriptor !== undefined) return descriptor;
  descriptor = {
    configurable: true,
    enumerable: true,
    get(this: WatchedHeaders) {
      return readHeader(this[WATCH], name);
    },
    set(this: WatchedHeaders, value: unknown) {
      Object.defineProperty(this, name, {
        configurable: true,
        enumerable: true,
        writable: true,
        value,
      });
    },
  };
  if (descriptors.size < MAX_DESCRIPTORS) descriptors.set(name, descriptor);
  return descriptor;
}

function readHeader(watch: HeaderWatch, name: string): unknown {
  watch.watcher.noteHeader(name);
  // Who copies the headers reads all of them in a row, and learns also which are not there.
  const { names, sequence } = watch;
  watch.sequence = names[sequence] === name ? sequence + 1 : names[0] === name ? 1 : 0;
  if (watch.sequence === names.length && names.length > 1) watch.watcher.noteAllHeaders();
  return watch.raw[name];
}

/** The watchers of renders under way: `in` on an absent name does not tell on which object. */
export const activeWatchers = new Set<HeaderWatcher>();

/** Names of methods of objects and maps that code looks for to find out what it was given. */
const METHOD_NAMES = new Set([
  ...['append', 'entries', 'forEach', 'get', 'getAll', 'getSetCookie', 'has', 'keys', 'set'],
  ...[
    'then',
    'toJSON',
    'values',
    'raw',
    'size',
    'length',
    'next',
    'delete',
    'map',
    'asymmetricMatch',
  ],
  ...['$$typeof', '_isMockFunction', 'nodeType', 'tagName', 'inspect', 'cachewright'],
]);

/** Whether code that reads this absent name looks most probably for a method, and not for a header. */
export function isMethodName(name: string): boolean {
  return name in Object.prototype || METHOD_NAMES.has(name);
}

const WATCHING_PROTOTYPE = new Proxy(Object.prototype, {
  get(target, key, receiver: Partial<WatchedHeaders>) {
    const watch = Object.hasOwn(receiver, WATCH) ? receiver[WATCH] : undefined;
    if (watch !== undefined) {
      if (key === inspect.custom) return inspectHeaders;
      if (key === 'toJSON' || key === Symbol.iterator) watch.watcher.noteAllHeaders();
      if (key === 'hasOwnProperty') return hasOwnHeader;
      if (typeof key === 'string' && isFieldName(key)) watch.watcher.noteHeader(key);
    }
    return Reflect.get(target, key, receiver);
  },
  has(target, key) {
    if (typeof key === 'string' && isFieldName(key)) {
      for (const watcher of activeWatchers) watcher.noteHeader(key);
    }
    return Reflect.has(target, key);
  },
  set(target, key, value, receiver: object) {
    if (!Object.hasOwn(receiver, WATCH)) return Reflect.set(target, key, value, receiver);
    return Reflect.defineProperty(receiver, key, {
      configurable: true,
      enumerable: true,
      writable: true,
      value,
    });
  },
});

function hasOwnHeader(this: WatchedHeaders, name: string): boolean {
  this[WATCH]?.watcher.noteHeader(String(name));
  return Object.hasOwn(this, name);
}

function inspectHeaders(this: WatchedHeaders, _depth: number, options: object, show = inspect) {
  this[WATCH].watcher.noteAllHeaders();
  return show({ ...this }, options);
}

class ObservingHandler implements ProxyHandler<IncomingHttpHeaders> {
  readonly #watcher: HeaderWatcher;

  constructor(watcher: HeaderWatcher) {
    this.#watcher = watcher;
  }

  get(target: IncomingHttpHeaders, key: string | symbol): unknown {
    if (key === RAW) return target;
    if (key === OBSERVER) return this.#watcher;
    this.#note(key);
    return Reflect.get(target, key);
  }

  has(target: IncomingHttpHeaders, key: string | symbol): boolean {
    this.#note(key);
    return Reflect.has(target, key);
  }

  getOwnPropertyDescriptor(target: IncomingHttpHeaders, key: string | symbol) {
    this.#note(key);
    return Reflect.getOwnPropertyDescriptor(target, key);
  }

  ownKeys(target: IncomingHttpHeaders) {
    this.#watcher.noteAllHeaders();
    return Reflect.ownKeys(target);
  }

  #note(key: string | symbol): void {
    if (typeof key !== 'string') return;
    if (countsWhenRead(key) && isFieldName(key)) this.#watcher.noteHeader(key);
  }
}
