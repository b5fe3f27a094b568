import type { OpenDatabase } from './database';
import { MysqlTable } from './mysql-table';
import { PostgresTable } from './postgres-table';
import { SqliteTable } from './sqlite-table';
import type { CacheTable } from './table';

/**
 * The statements on a table, as its database takes them.
 *
 * @param patienceMs - How long SQLite, which has one writer at a time, is asked again.
 */
export function openTable(database: OpenDatabase, name: string, patienceMs: number): CacheTable {
  switch (database.vendor) {
    case 'postgres':
      return new PostgresTable(database, name);
    case 'mysql':
      return new MysqlTable(database, name);
    case 'sqlite':
      return new SqliteTable(database, name, patienceMs);
  }
}
