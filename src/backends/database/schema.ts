import { createHash } from 'node:crypto';
import type { Kysely, RawBuilder } from 'kysely';
import type { OpenDatabase } from './database';
import { loadKysely } from './kysely-package';
import type { Vendor } from './sources';

/** Types of the columns `cache_key`, `value` and `expires`. */
const TYPES: Record<Vendor, readonly [string, string, string]> = {
  // The order of "C" is that of bytes, on every server, and the fastest.
  postgres: ['varchar(255) collate "C"', 'bytea', 'timestamp(3) with time zone'],
  // 255 characters of four bytes. As text, keys would be equal that differ in trailing spaces.
  mysql: ['varbinary(1020)', 'longblob', 'datetime(3)'],
  sqlite: ['varchar(255)', 'blob', 'datetime'],
};

/** The statements that make a cache table: the table, and its index. */
export function createStatements(
  vendor: Vendor,
  table: string,
): readonly [RawBuilder<unknown>, RawBuilder<unknown>] {
  const { sql } = loadKysely();
  const [key, value, expires] = TYPES[vendor].map((type) => sql.raw(type));
  return [
    sql`CREATE TABLE ${sql.id(table)} (
  ${sql.id('cache_key')} ${key} NOT NULL PRIMARY KEY,
  ${sql.id('value')} ${value} NOT NULL,
  ${sql.id('expires')} ${expires} NOT NULL
)`,
    sql`CREATE INDEX ${sql.id(indexName(vendor, table))} ON ${sql.id(table)} (${sql.id('expires')})`,
  ];
}

/** Bytes of a name that PostgreSQL keeps, and MySQL takes. */
const MAX_NAME_BYTES = 63;

/** `<table>_expires`, or where that would be cut or refused, a name that still differs by table. */
function indexName(vendor: Vendor, table: string): string {
  const name = `${table}_expires`;
  if (vendor === 'sqlite' || Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  const ending = `_${createHash('sha256').update(table).digest('hex').slice(0, 8)}_expires`;
  let start = table;
  while (Buffer.byteLength(start + ending) > MAX_NAME_BYTES) start = start.slice(0, -1);
  return start.toWellFormed() + ending;
}

/** Whether the database has a table, or a view, of this name. */
export async function hasTable({ vendor, kysely }: OpenDatabase, table: string): Promise<boolean> {
  const { sql } = loadKysely();
  const queries: Record<Vendor, RawBuilder<unknown>> = {
    postgres: sql`select 1 from pg_catalog.pg_class
      where relname = ${table}::name and relkind in ('r', 'p', 'v', 'm', 'f') and pg_table_is_visible(oid)`,
    mysql: sql`select 1 from information_schema.tables
      where table_schema = database() and table_name = ${table}`,
    sqlite: sql`select 1 from sqlite_master
      where type in ('table', 'view') and lower(name) = lower(${table})`,
  };
  return (await queries[vendor].execute(kysely)).rows.length > 0;
}

/** Makes a cache table and its index; both or none, where a transaction can hold them. */
export async function createTable({ vendor, kysely }: OpenDatabase, table: string): Promise<void> {
  const create = async (executor: Kysely<unknown>) => {
    for (const statement of createStatements(vendor, table)) await statement.execute(executor);
  };
  // MySQL and MariaDB commit at each statement of this kind.
  if (vendor === 'mysql' || kysely.isTransaction) await create(kysely);
  else await kysely.transaction().execute(create);
}
