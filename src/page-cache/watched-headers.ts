import type { IncomingHttpHeaders } from 'node:http';
import type { Request } from '../headers/middleware';

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

/** Headers of which `note` is told whatever is read. */
export function watchedHeaders(
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
