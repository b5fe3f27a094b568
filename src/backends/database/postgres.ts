import type { Dialect, PostgresPoolClient } from 'kysely';
import type { Pool, PoolClient, Client as PostgresClient } from 'pg';
import { optionalPackage } from '../optional-package';
import { PATIENCE_MS, POOL_SIZE, patiently } from './connection';
import { loadKysely } from './kysely-package';
import type { PostgresListener } from './postgres-messages';
import type { PostgresPoolLike } from './sources';

/** @throws Error if the package `pg` is missing */
export function openPostgresPool(url: string): Pool {
  const { Pool } = optionalPackage('pg', 'A database at postgres://', () => require('pg'));
  const pool: Pool = new Pool({
    connectionString: url,
    max: POOL_SIZE,
    connectionTimeoutMillis: PATIENCE_MS,
    keepAlive: true,
    allowExitOnIdle: true,
    application_name: 'cachewright',
  });
  // The pool drops an idle connection that breaks; without a listener it would end the process.
  pool.on('error', () => {});
  return pool;
}

/**
 * A connection apart from those of a pool, to the same database.
 *
 * @param source - The pool, or the URL of the database.
 */
export function openPostgresListener(source: string | PostgresPoolLike): PostgresListener {
  const settings = { keepAlive: true, connectionTimeoutMillis: PATIENCE_MS };
  if (typeof source !== 'string') {
    const { Client, options } = source as unknown as Pool & { Client: typeof PostgresClient };
    return new Client({ ...(options as object), ...settings }) as unknown as PostgresListener;
  }
  const { Client } = optionalPackage('pg', 'A database at postgres://', () => require('pg'));
  return new Client({
    connectionString: source,
    application_name: 'cachewright messages',
    ...settings,
  });
}

/** PostgreSQL over a pool, each of whose connections is given up if it does not answer. */
export function postgresDialect(pool: PostgresPoolLike, isOurs: boolean): Dialect {
  const { PostgresDialect } = loadKysely();
  return new PostgresDialect({
    pool: {
      connect: () => checkedOut(pool),
      end: async () => {
        if (isOurs) await pool.end();
      },
    },
  });
}

/**
 * A connection of the pool. The pool takes its own error listener off as it hands a connection out.
 * A server that ends the connection at that moment is heard only by a listener that is added in the
 * same call: the continuation of a promise runs after the event, which would end the process.
 */
function checkedOut(pool: PostgresPoolLike): Promise<PostgresPoolClient> {
  return new Promise((resolve, reject) => {
    const onConnected = (error: unknown, client?: PoolClient) => {
      if (client === undefined) reject(error);
      else resolve(watched(client));
    };
    const promised = (pool.connect as (callback: typeof onConnected) => unknown)(onConnected);
    // A wrapper around a pool may know promises only.
    if (isPromise<PoolClient>(promised)) {
      promised.then((client) => onConnected(undefined, client), onConnected);
    }
  });
}

function isPromise<T>(value: unknown): value is Promise<T> {
  return typeof (value as Promise<T> | undefined)?.then === 'function';
}

function watched(client: PoolClient): PostgresPoolClient {
  let broken: Error | undefined;
  // A query under way rejects as well; without a listener the event would end the process.
  const onError = (error: Error) => {
    broken = error;
  };
  client.on('error', onError);
  const query = (sql: string, parameters: readonly unknown[]) =>
    patiently(client.query(sql, [...parameters]), onError);
  return {
    query: query as unknown as PostgresPoolClient['query'],
    release() {
      client.release(broken);
      client.off('error', onError);
    },
  } as PostgresPoolClient;
}
