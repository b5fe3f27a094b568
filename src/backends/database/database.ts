import type { Dialect, Kysely } from 'kysely';
import type { MessageBus } from '../../cache/message-bus';
import { loadKysely } from './kysely-package';
import { mysqlDialect, openMysqlPool } from './mysql';
import { openPostgresListener, openPostgresPool, postgresDialect } from './postgres';
import { PostgresMessages } from './postgres-messages';
import {
  type DatabaseSource,
  type KnownSource,
  type PostgresPoolLike,
  recognize,
  type Vendor,
} from './sources';
import { openSqlite, sqliteDialect } from './sqlite';

/** A database that is open. */
export interface OpenDatabase {
  readonly vendor: Vendor;
  /** How messages call it, without passwords: `PostgreSQL at 10.0.0.7:5432`. */
  readonly title: string;
  readonly kysely: Kysely<unknown>;
}

const TITLES: Record<Vendor, string> = {
  postgres: 'PostgreSQL',
  mysql: 'MySQL',
  sqlite: 'SQLite',
};

/** A database, opened when it is first used, and closed when its last user lets go of it. */
export class Database {
  readonly #source: KnownSource;
  readonly #users = new Set<object>();
  #open: OpenDatabase | undefined;

  /** @throws TypeError if `source` is none */
  constructor(source: DatabaseSource) {
    this.#source = recognize(source);
  }

  /**
   * Opens it, if it is not. Nothing is sent to a server yet.
   *
   * @param user - On whose behalf; see {@link Database.release}.
   * @throws Error if a package is missing
   */
  open(user: object): OpenDatabase {
    this.#open ??= openSource(this.#source);
    this.#users.add(user);
    return this.#open;
  }

  /** What carries messages between those who use it; `undefined` if nothing does. */
  messages(): MessageBus | undefined {
    const source = this.#source;
    // A Kysely shows nothing of its connections.
    if (source.vendor !== 'postgres' || source.kind === 'kysely') return undefined;
    const place = source.kind === 'url' ? source.url : (source.pool as PostgresPoolLike);
    return new PostgresMessages(() => openPostgresListener(place));
  }

  /** Closes what `open` opened, unless others use it. What the site handed in stays open. */
  async release(user: object): Promise<void> {
    this.#users.delete(user);
    if (this.#users.size > 0) return;
    const open = this.#open;
    this.#open = undefined;
    if (this.#source.kind !== 'kysely') await open?.kysely.destroy();
  }
}

function openSource(source: KnownSource): OpenDatabase {
  const { vendor } = source;
  if (source.kind === 'kysely') {
    // Its plugins may rename tables and columns, or turn rows into something else.
    const kysely = source.kysely.withoutPlugins() as Kysely<unknown>;
    return { vendor, title: TITLES[vendor], kysely };
  }
  const { Kysely } = loadKysely();
  const kysely = new Kysely<unknown>({ dialect: dialectOf(source) });
  return { vendor, title: titleOf(source), kysely };
}

function dialectOf(source: Exclude<KnownSource, { kind: 'kysely' }>): Dialect {
  const isOurs = source.kind === 'url';
  switch (source.vendor) {
    case 'postgres':
      return postgresDialect(
        (isOurs ? openPostgresPool(source.url) : source.pool) as never,
        isOurs,
      );
    case 'mysql':
      return mysqlDialect((isOurs ? openMysqlPool(source.url) : source.pool) as never, isOurs);
    case 'sqlite':
      return sqliteDialect((isOurs ? openSqlite(source.url) : source.pool) as never, isOurs);
  }
}

function titleOf(source: KnownSource): string {
  const title = TITLES[source.vendor];
  if (source.kind !== 'url') return title;
  if (source.vendor === 'sqlite') return `${title} in ${source.url.replace(/^[a-z]+:/i, '')}`;
  const host = URL.canParse(source.url) ? new URL(source.url).host : '';
  return host === '' ? title : `${title} at ${host}`;
}
