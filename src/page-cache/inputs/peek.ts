import type { Request } from '../../headers/middleware';

/** Records what is read of a request, unless it is told to look away. */
export interface Peekable {
  peek<T>(work: () => T): T;
}

export const RECORDER = Symbol('cachewright.inputs');

/** Calls `read`, during which no cache around this request takes note of what is read of it. */
export function peekAt<T>(req: Request, read: () => T): T {
  const recorder = (req as { [RECORDER]?: Peekable })[RECORDER];
  return recorder === undefined ? read() : recorder.peek(read);
}
