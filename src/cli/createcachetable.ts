import { DatabaseCache } from '../backends/database/cache';
import type { Database, OpenDatabase } from '../backends/database/database';
import { allowsMigration, DEFAULT_DATABASE, databaseNamed } from '../backends/database/databases';
import { createStatements, createTable, hasTable } from '../backends/database/schema';
import { caches } from '../caches';
import { CommandError, reasonOf, UsageError } from './errors';

/** What `createcachetable` is asked for. */
export interface CreateCacheTableOptions {
  /** Names of tables. None: those of the caches that are configured. */
  readonly tables: readonly string[];
  /** Name of a database. `undefined`: that of each cache, else `default`. */
  readonly database: string | undefined;
  /** Prints the statements instead. */
  readonly dryRun: boolean;
  /** `0`: prints nothing. `1`: tables that exist. `2` or more: tables that were made, too. */
  readonly verbosity: number;
}

/** A table, and where it is to be. */
interface Task {
  readonly table: string;
  readonly database: Database;
  /** `undefined` for a database that only one cache knows, of which routers are not told. */
  readonly databaseName: string | undefined;
}

/**
 * Makes the tables of database caches, one after another.
 *
 * @param print - Takes a line of output.
 * @throws UsageError if there is no such database; CommandError if a table cannot be made.
 * @see Django's `createcachetable`
 */
export async function createCacheTable(
  options: CreateCacheTableOptions,
  print: (line: string) => void,
): Promise<void> {
  for (const task of tasksOf(options)) {
    const { database, databaseName, table } = task;
    if (databaseName !== undefined && !allowsMigration(databaseName, table)) continue;
    try {
      await perform(database.open(task), table, options, print);
    } catch (error) {
      const where = databaseName === undefined ? '' : ` in the database "${databaseName}"`;
      throw new CommandError(
        `Cache table "${table}" could not be created${where}.\nThe error was: ${reasonOf(error)}`,
        { cause: error },
      );
    } finally {
      await database.release(task);
    }
  }
}

async function perform(
  database: OpenDatabase,
  table: string,
  { dryRun, verbosity }: CreateCacheTableOptions,
  print: (line: string) => void,
): Promise<void> {
  if (await hasTable(database, table)) {
    if (verbosity >= 1) print(`Cache table "${table}" already exists.`);
    return;
  }
  if (dryRun) {
    for (const statement of createStatements(database.vendor, table)) {
      print(`${statement.compile(database.kysely).sql};`);
    }
    return;
  }
  await createTable(database, table);
  if (verbosity >= 2) print(`Cache table "${table}" created.`);
}

function tasksOf({ tables, database }: CreateCacheTableOptions): Task[] {
  // A name that is wrong is told even if there is nothing to do.
  if (database !== undefined) named(database);
  if (tables.length > 0) {
    const databaseName = database ?? DEFAULT_DATABASE;
    return tables.map((table) => ({ table, database: named(databaseName), databaseName }));
  }
  return caches.all().flatMap((cache): Task[] => {
    if (!(cache instanceof DatabaseCache)) return [];
    const { tableName: table, ownDatabase: own } = cache;
    if (own !== undefined && typeof own !== 'string') {
      // No name leads there: it is meant if none is given.
      return database === undefined ? [{ table, database: own, databaseName: undefined }] : [];
    }
    const databaseName = own ?? database ?? DEFAULT_DATABASE;
    if (database !== undefined && databaseName !== database) return [];
    return [{ table, database: named(databaseName), databaseName }];
  });
}

function named(name: string): Database {
  try {
    return databaseNamed(name);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}
