import { Database } from './database';
import { setDatabases } from './databases';
import type { DatabaseRouter } from './routers';
import type { DatabaseSource } from './sources';

/** What goes with the databases. */
export interface DatabasesOptions {
  /** Asked in this order. @defaultValue [] */
  readonly routers?: readonly DatabaseRouter[];
}

/**
 * Sets the databases of the process, by name, for all caches on the backend `'database'` that are
 * given none of their own. Those of an earlier call are forgotten; `close()` of the caches that used
 * them closes them.
 *
 * @throws TypeError if one of them is no database, or a router no object.
 * @see Django's `DATABASES` and `DATABASE_ROUTERS`
 * @example
 * configureDatabases(
 *   { default: 'postgres://site@primary/site', replica: 'postgres://site@replica/site' },
 *   { routers: [{ dbForRead: () => 'replica', dbForWrite: () => 'default' }] },
 * );
 */
export function configureDatabases(
  sources: Readonly<Record<string, DatabaseSource>>,
  options: DatabasesOptions = {},
): void {
  const configured = new Map<string, Database>();
  for (const [name, source] of Object.entries(sources)) {
    try {
      configured.set(name, new Database(source));
    } catch (error) {
      throw new TypeError(`configureDatabases(), "${name}": ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  const { routers: given = [] } = options;
  if (!Array.isArray(given) || given.some((router) => typeof router !== 'object' || !router)) {
    throw new TypeError('configureDatabases(): options.routers is no array of objects.');
  }
  setDatabases(configured, [...given]);
}
