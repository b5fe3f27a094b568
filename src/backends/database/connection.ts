import { withDeadline } from '../../cache/deadline';
import { CacheUnavailableError } from '../../errors';

/** Connections of a pool that we open ourselves; as many as `pg` and `mysql2` have by default. */
export const POOL_SIZE = 10;

/** Milliseconds after which a connection that does not come about, or not answer, is given up. */
export const PATIENCE_MS = 5000;

/**
 * What a query comes to. One that takes too long rejects, and `onLate` is to see to it that its
 * connection is not used again: whoever got it next would wait behind that query.
 */
export function patiently<T>(query: Promise<T>, onLate: (error: Error) => void): Promise<T> {
  return withDeadline(
    () => query,
    PATIENCE_MS,
    () => {
      const error = new CacheUnavailableError(
        `A connection to the database did not answer for ${PATIENCE_MS} ms, and was closed.`,
        'timeout',
      );
      onLate(error);
      return error;
    },
  );
}
