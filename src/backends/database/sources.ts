/** What is used of a ready-made Kysely. Its plugins are left aside. */
export interface KyselyLike {
  readonly isTransaction: boolean;
  getExecutor(): unknown;
  withoutPlugins(): unknown;
}

/** A pool of the package `pg`. */
export interface PostgresPoolLike {
  readonly totalCount: number;
  connect(): Promise<unknown>;
  end(): Promise<unknown>;
}

/** A pool of the package `mysql2`, of either of its interfaces. */
export interface MysqlPoolLike {
  getConnection(...callback: never[]): unknown;
  end(...callback: never[]): unknown;
}

/** An open database of `libsql`, `better-sqlite3` or `node:sqlite`. */
export interface SqliteHandleLike {
  prepare(sql: string): unknown;
  exec(sql: string): unknown;
  close(): unknown;
}

/**
 * A database: a URL (`postgres://`, `mysql://`, `mariadb://`, `sqlite:` or `file:` and a path), or
 * something of the site's own, which is used and not closed: a Kysely, or a transaction of one; a
 * pool of `pg` or `mysql2`; an open database of `libsql`, `better-sqlite3` or `node:sqlite`.
 */
export type DatabaseSource =
  | string
  | URL
  | KyselyLike
  | PostgresPoolLike
  | MysqlPoolLike
  | SqliteHandleLike;

/** The kinds of database. */
export type Vendor = 'postgres' | 'mysql' | 'sqlite';

const VENDOR_OF_SCHEME = new Map<string, Vendor>([
  ['postgres', 'postgres'],
  ['postgresql', 'postgres'],
  ['mysql', 'mysql'],
  ['mariadb', 'mysql'],
  ['sqlite', 'sqlite'],
  ['file', 'sqlite'],
]);

/** A source, told by what it is. */
export type KnownSource =
  | { readonly kind: 'url'; readonly vendor: Vendor; readonly url: string }
  | { readonly kind: 'kysely'; readonly vendor: Vendor; readonly kysely: KyselyLike }
  | { readonly kind: 'pool'; readonly vendor: Vendor; readonly pool: object };

/** Whether a string is a URL of a database, and not the name of one. */
export function isDatabaseUrl(text: string): boolean {
  return VENDOR_OF_SCHEME.has(schemeOf(text));
}

/** @throws TypeError if it is no source. */
export function recognize(source: unknown): KnownSource {
  if (typeof source === 'string' || source instanceof URL) {
    const url = String(source);
    const vendor = VENDOR_OF_SCHEME.get(schemeOf(url));
    if (vendor !== undefined && isReadable(vendor, url)) return { kind: 'url', vendor, url };
    if (vendor !== undefined) {
      throw new TypeError(
        `A database's URL that begins with ${JSON.stringify(schemeOf(url))} cannot be read. Percent-encode what is special in its user and password.`,
      );
    }
    // The rest of it may hold a password.
    throw new TypeError(
      `A database's URL begins with ${JSON.stringify(schemeOf(url))}. Give one that begins with postgres:, mysql:, mariadb:, sqlite: or file:.`,
    );
  }
  if (has(source, 'getExecutor', 'withoutPlugins')) {
    const kysely = source as unknown as KyselyLike;
    return { kind: 'kysely', vendor: vendorOf(kysely), kysely };
  }
  if (has(source, 'prepare', 'exec', 'close'))
    return { kind: 'pool', vendor: 'sqlite', pool: source };
  if (has(source, 'getConnection', 'end')) {
    // The interface of promises wraps a pool of callbacks.
    const { pool = source } = source as { pool?: object };
    return { kind: 'pool', vendor: 'mysql', pool };
  }
  if (has(source, 'connect', 'end') && 'totalCount' in source) {
    return { kind: 'pool', vendor: 'postgres', pool: source };
  }
  throw new TypeError(
    'A database is neither a URL, a Kysely, a pool of pg or mysql2, nor an open database of libsql, better-sqlite3 or node:sqlite.',
  );
}

/** Before a driver tries, and puts the password into its error. */
function isReadable(vendor: Vendor, url: string): boolean {
  if (vendor === 'sqlite') return true;
  // For PostgreSQL the host may stand in the query, as a socket's folder does.
  return URL.canParse(vendor === 'postgres' ? url.replace('@/', '@host/') : url);
}

function schemeOf(url: string): string {
  const [scheme = '', rest] = url.split(':', 2);
  return rest === undefined ? '' : scheme.toLowerCase();
}

/** By name, not by class: the site may have a Kysely of its own. */
function vendorOf(kysely: KyselyLike): Vendor {
  const { adapter } = kysely.getExecutor() as { adapter: object };
  for (
    let type = Object.getPrototypeOf(adapter);
    type !== null;
    type = Object.getPrototypeOf(type)
  ) {
    switch (type.constructor.name) {
      case 'PostgresAdapter':
        return 'postgres';
      case 'MysqlAdapter':
        return 'mysql';
      case 'SqliteAdapter':
        return 'sqlite';
    }
  }
  throw new TypeError(
    `The Kysely speaks to a database by ${adapter.constructor.name}. Give one for PostgreSQL, MySQL, MariaDB or SQLite.`,
  );
}

function has(source: unknown, ...methods: string[]): source is object {
  return (
    typeof source === 'object' &&
    source !== null &&
    methods.every((name) => typeof (source as Record<string, unknown>)[name] === 'function')
  );
}
