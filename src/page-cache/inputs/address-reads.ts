import type { Socket } from 'node:net';
import type { Request } from '../../headers/middleware';

/** Told that the address of a client was read. */
export interface AddressWatcher {
  noteAddress(input: string): void;
  /** Whether its response has ended, so that it need not be told any more. */
  readonly isOver: boolean;
}

const WATCHERS = Symbol('cachewright.address');

/** How many of the cache's own reads are under way, which count for nobody. */
let quiet = 0;

/** Calls `read`, in which the cache itself reads the client's address. */
export function readAddressQuietly<T>(read: () => T): T {
  quiet += 1;
  try {
    return read();
  } finally {
    quiet -= 1;
  }
}

interface WatchedSocket extends Socket {
  [WATCHERS]?: Set<AddressWatcher>;
}

/**
 * Tells `watcher` when `socket.remoteAddress` is read, until {@link ignoreAddressReads}. Several
 * requests may be under way on one connection; all of them are told.
 */
export function noteAddressReads(req: Request, watcher: AddressWatcher): void {
  const socket = req.socket as WatchedSocket | undefined;
  // HTTP/2 shows a proxy of the socket, which the session shares among its streams.
  if (socket === undefined || socket === null || 'stream' in req) return;
  if (socket[WATCHERS] === undefined) {
    const own = Object.getOwnPropertyDescriptor(socket, 'remoteAddress');
    if (own?.configurable === false) return;
    Object.defineProperty(socket, WATCHERS, { value: new Set() });
    Object.defineProperty(socket, 'remoteAddress', {
      configurable: true,
      enumerable: own?.enumerable ?? false,
      get(this: WatchedSocket) {
        if (quiet === 0) {
          for (const each of socket[WATCHERS]!) each.noteAddress('req.socket.remoteAddress');
        }
        if (own !== undefined) return own.get === undefined ? own.value : own.get.call(this);
        return Reflect.get(Object.getPrototypeOf(socket), 'remoteAddress', this);
      },
    });
  }
  const watchers = socket[WATCHERS]!;
  // Middleware may have answered earlier requests on this connection before the cache looked them up.
  for (const each of watchers) if (each.isOver) watchers.delete(each);
  watchers.add(watcher);
}

export function ignoreAddressReads(req: Request, watcher: AddressWatcher): void {
  (req.socket as WatchedSocket | undefined)?.[WATCHERS]?.delete(watcher);
}
