import type { Response } from './middleware';

const FOR_CLIENTS = Symbol('cachewright.for-clients');

interface Marked {
  [FOR_CLIENTS]?: true;
}

/** Notes that `Cache-Control` speaks to clients: `neverCache` around a page cache lets that store (CP-12). */
export function markForClients(res: Response): void {
  (res as Marked)[FOR_CLIENTS] = true;
}

/** Whether {@link markForClients} was called. */
export function isForClients(res: Response): boolean {
  return (res as Marked)[FOR_CLIENTS] === true;
}
