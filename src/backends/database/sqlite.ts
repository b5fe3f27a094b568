import { fileURLToPath } from 'node:url';
import type { Dialect, SqliteDatabase, SqliteStatement } from 'kysely';
import { CacheUnavailableError } from '../../errors';
import { loadKysely } from './kysely-package';
import type { SqliteHandleLike } from './sources';
import { isBusy } from './sql-errors';

/** A statement of `node:sqlite`, whose parameters are not in a list. */
interface NodeStatement {
  columns(): unknown[];
  all(...parameters: unknown[]): unknown[];
  run(...parameters: unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint };
}

/** Milliseconds for which a call blocks the process while another connection writes. */
const BLOCKING_MS = 5;

/** @throws CacheUnavailableError if it cannot be opened; Error if no package for SQLite is there */
export function openSqlite(url: string): SqliteHandleLike {
  const path = pathOf(url);
  const handle = openFile(path);
  try {
    // Readers and the writer do not wait for each other; the last writes may be lost if the machine,
    // and not only the process, goes down.
    (handle.prepare('pragma journal_mode = wal') as SqliteStatement).all([]);
  } catch (error) {
    // Somebody writes who does not know of it yet. It will do without until it is opened again.
    if (!isBusy(error as object)) {
      handle.close();
      throw unopened(path, error);
    }
  }
  handle.exec('pragma synchronous = normal');
  handle.exec(`pragma busy_timeout = ${BLOCKING_MS}`);
  return handle;
}

/** The first of the packages that is there; newer Nodes bring one themselves. */
function openFile(path: string): SqliteHandleLike {
  const packages: [string, () => SqliteHandleLike][] = [
    ['libsql', () => new (require('libsql'))(path)],
    ['better-sqlite3', () => new (require('better-sqlite3'))(path)],
    ['node:sqlite', () => new (require('node:sqlite').DatabaseSync)(path)],
  ];
  for (const [name, open] of packages) {
    try {
      return open();
    } catch (error) {
      if (!isMissing(error as NodeJS.ErrnoException, name)) throw unopened(path, error);
    }
  }
  throw new Error(
    'A database at sqlite: needs the package libsql or better-sqlite3. Install one: npm install libsql',
  );
}

function unopened(path: string, cause: unknown): CacheUnavailableError {
  const { message } = cause as Error;
  return new CacheUnavailableError(`SQLite in ${path} cannot be opened: ${message}`, 'refused', {
    cause,
  });
}

function isMissing({ code, message }: NodeJS.ErrnoException, name: string): boolean {
  return (
    code === 'ERR_UNKNOWN_BUILTIN_MODULE' ||
    (code === 'MODULE_NOT_FOUND' && message.includes(`'${name}'`))
  );
}

/** SQLite over an open database. */
export function sqliteDialect(handle: SqliteHandleLike, isOurs: boolean): Dialect {
  const { SqliteDialect } = loadKysely();
  const database: SqliteDatabase = {
    prepare: (sql) => locked(handle, sql, asStatement(handle.prepare(sql))),
    close: () => {
      if (isOurs) handle.close();
    },
  };
  return new SqliteDialect({ database });
}

/**
 * Takes the lock before a write, and not within: a statement of libsql that does not get it is left
 * half done, and keeps whatever the connection writes from then on from being committed.
 */
function locked(
  handle: SqliteHandleLike,
  sql: string,
  statement: SqliteStatement,
): SqliteStatement {
  if (sql === 'begin') {
    const run = () => {
      handle.exec('begin immediate');
      return { changes: 0, lastInsertRowid: 0 };
    };
    return { ...statement, reader: false, run };
  }
  if (!/^\s*(insert|update|delete)\b/i.test(sql)) return statement;
  return {
    reader: statement.reader,
    all: (parameters) => alone(handle, () => statement.all(parameters)),
    run: (parameters) => alone(handle, () => statement.run(parameters)),
    iterate: (parameters) => statement.iterate(parameters),
  };
}

function alone<T>(handle: SqliteHandleLike, write: () => T): T {
  if (isInTransaction(handle)) return write();
  handle.exec('begin immediate');
  try {
    const result = write();
    handle.exec('commit');
    return result;
  } catch (error) {
    if (isInTransaction(handle)) handle.exec('rollback');
    throw error;
  }
}

/** By the name it has in libsql and better-sqlite3, or in newer versions of node:sqlite. */
function isInTransaction(handle: SqliteHandleLike): boolean {
  const { inTransaction, isTransaction } = handle as {
    inTransaction?: boolean;
    isTransaction?: boolean;
  };
  return inTransaction ?? isTransaction ?? true;
}

function asStatement(prepared: unknown): SqliteStatement {
  if ('reader' in (prepared as object)) return prepared as SqliteStatement;
  const statement = prepared as NodeStatement;
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...parameters),
    run: (parameters) => statement.run(...parameters),
    iterate: () => {
      throw new Error('Rows are read all at once.');
    },
  };
}

function pathOf(url: string): string {
  if (/^file:\/\//i.test(url)) return fileURLToPath(url);
  // sqlite:///var/cache.db and sqlite:/var/cache.db name the same file.
  return url.replace(/^[a-z]+:(\/\/(?=\/))?/i, '');
}
