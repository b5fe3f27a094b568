import { type Dialect, Kysely, MysqlDialect, PostgresDialect, SqliteDialect, sql } from 'kysely';
import Database from 'libsql';
import { createPool } from 'mysql2';
import { Pool } from 'pg';
import type { TestDatabase } from './test-databases';

/** A Kysely as a site would make it, that keeps what was asked of the database. */
export interface WatchedKysely {
  readonly kysely: Kysely<unknown>;
  /** The statements so far, oldest first. */
  readonly statements: string[];
  /** Rows of a statement of the test's own, which is not kept. */
  query<R>(text: string): Promise<R[]>;
}

/** Opens a Kysely of its own. Close it with `kysely.destroy()`. */
export function watchedKysely(
  { kind, url }: TestDatabase,
  { connections = 10 } = {},
): WatchedKysely {
  const statements: string[] = [];
  const dialects: Record<TestDatabase['kind'], () => Dialect> = {
    postgres: () =>
      new PostgresDialect({ pool: new Pool({ connectionString: url, max: connections }) }),
    mysql: () => new MysqlDialect({ pool: createPool({ uri: url, connectionLimit: connections }) }),
    sqlite: () =>
      new SqliteDialect({ database: new Database(url.replace('sqlite:', ''), { timeout: 5000 }) }),
  };
  const kysely = new Kysely<unknown>({
    dialect: dialects[kind](),
    log: ({ query }) => {
      statements.push(query.sql.replace(/\s+/g, ' ').trim());
    },
  });
  return {
    kysely,
    statements,
    async query<R>(text: string) {
      const { rows } = await sql.raw<R>(text).execute(kysely);
      statements.pop();
      return rows;
    },
  };
}
