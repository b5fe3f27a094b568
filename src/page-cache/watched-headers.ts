import type { IncomingHttpHeaders } from 'node:http';
import type { Request } from '../headers/middleware';

const UNWATCHED = Symbol('cachewright.unwatched');

/** Headers that are watched tell those behind them. */
type Watched = IncomingHttpHeaders & { readonly [UNWATCHED]?: IncomingHttpHeaders };

/** The headers of a request, for a cache's own reading, which is no handler's. */
export function headersOf(req: Request): IncomingHttpHeaders {
  let headers: Watched = req.headers;
  for (let inner = headers[UNWATCHED]; inner !== undefined; inner = headers[UNWATCHED]) {
    headers = inner;
  }
  return headers;
}

/** Told whatever is read of headers. */
export interface HeaderWatcher {
  noteHeader(name: string): void;
}

/** Headers of which `watcher` is told whatever is read. */
export function watchedHeaders(
  headers: IncomingHttpHeaders,
  watcher: HeaderWatcher,
): IncomingHttpHeaders {
  return new Proxy(headers, new WatchingHandler(watcher));
}

class WatchingHandler implements ProxyHandler<IncomingHttpHeaders> {
  readonly #watcher: HeaderWatcher;

  constructor(watcher: HeaderWatcher) {
    this.#watcher = watcher;
  }

  get(target: IncomingHttpHeaders, key: string | symbol): unknown {
    if (key === UNWATCHED) return target;
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
    // Whoever goes through all of them learns also which are not there. Of these the two that
    // make a page somebody's own.
    this.#watcher.noteHeader('cookie');
    this.#watcher.noteHeader('authorization');
    return Reflect.ownKeys(target);
  }

  #note(key: string | symbol): void {
    if (typeof key === 'string') this.#watcher.noteHeader(key);
  }
}
