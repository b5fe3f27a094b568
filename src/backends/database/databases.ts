import { InvalidCacheBackendError } from '../../errors';
import type { Database } from './database';
import type { CacheEntryModel, DatabaseRouter } from './routers';

/** The name of the database that is used if no router says otherwise. */
export const DEFAULT_DATABASE = 'default';

let databases = new Map<string, Database>();
let routers: readonly DatabaseRouter[] = [];

/** Replaces all of them. */
export function setDatabases(
  configured: Map<string, Database>,
  asked: readonly DatabaseRouter[],
): void {
  databases = configured;
  routers = asked;
}

/** The database of this name. @throws InvalidCacheBackendError if there is none */
export function databaseNamed(name: string): Database {
  const database = databases.get(name);
  if (database !== undefined) return database;
  const known = [...databases.keys()].map((other) => `"${other}"`).join(', ');
  throw new InvalidCacheBackendError(
    `Database "${name}" is not configured. Known databases: ${known || 'none'}. Add it to configureDatabases(), or give the cache one of its own as options.database.`,
  );
}

/** The database that routers choose for reads or writes of a table. */
export function routedDatabase(use: 'read' | 'write', table: string): Database {
  const model = entryModel(table);
  for (const router of routers) {
    const name = use === 'read' ? router.dbForRead?.(model) : router.dbForWrite?.(model);
    if (name !== null && name !== undefined) return databaseNamed(name);
  }
  return databaseNamed(DEFAULT_DATABASE);
}

/** Whether routers let a table be made in the database of this name. */
export function allowsMigration(name: string, table: string): boolean {
  const model = entryModel(table);
  const { appLabel, modelName } = model;
  for (const router of routers) {
    const isAllowed = router.allowMigrate?.(name, appLabel, { modelName, model });
    if (isAllowed !== null && isAllowed !== undefined) return isAllowed;
  }
  return true;
}

function entryModel(table: string): CacheEntryModel {
  return { appLabel: 'django_cache', modelName: 'CacheEntry', table };
}
