import type { Dialect, MysqlPoolConnection } from 'kysely';
import type { Pool, PoolConnection } from 'mysql2';
import { optionalPackage } from '../optional-package';
import { PATIENCE_MS, POOL_SIZE, patiently } from './connection';
import { loadKysely } from './kysely-package';

/** `ER_NET_PACKET_TOO_LARGE`. */
const PACKET_TOO_LARGE = 1153;

/**
 * Statements with more are prepared for one use: they come in all lengths, and a server keeps a
 * limited number for all of its clients.
 */
const MAX_KEPT_PARAMETERS = 32;

/** @throws Error if the package `mysql2` is missing */
export function openMysqlPool(url: string): Pool {
  const { createPool } = optionalPackage('mysql2', 'A database at mysql://', () =>
    require('mysql2'),
  );
  const pool: Pool = createPool({
    uri: url.replace(/^mariadb:/i, 'mysql:'),
    connectionLimit: POOL_SIZE,
    connectTimeout: PATIENCE_MS,
    charset: 'utf8mb4_bin',
    enableKeepAlive: true,
  });
  // The pool drops a connection at its first error and listens to no other, which would end the
  // process.
  pool.on('connection', (connection) => connection.on('error', () => {}));
  return pool;
}

/** MySQL or MariaDB over a pool, each of whose connections is given up if it does not answer. */
export function mysqlDialect(pool: Pool, isOurs: boolean): Dialect {
  const { MysqlDialect } = loadKysely();
  return new MysqlDialect({
    pool: {
      getConnection(callback) {
        pool.getConnection((error, connection) => {
          if (error) callback(error, undefined as never);
          else callback(undefined, watched(connection));
        });
      },
      end(callback) {
        if (isOurs) pool.end((error) => callback(error));
        else callback(undefined);
      },
    },
  });
}

function watched(connection: PoolConnection): MysqlPoolConnection {
  let isBroken = false;
  // The query under way fails as well; without a listener a second error would end the process.
  const onError = () => {
    isBroken = true;
  };
  connection.on('error', onError);
  const query = (
    sql: string,
    parameters: unknown[],
    callback: (error: unknown, result: unknown) => void,
  ) => {
    // Values are bound by the server. `query` would write them into the statement, which is wrong
    // where the server's sql_mode reads escapes differently; but it can do what cannot be prepared.
    const answer = new Promise((resolve, reject) => {
      const settle = (error: unknown, result: unknown) => (error ? reject(error) : resolve(result));
      if (parameters.length === 0) connection.query(sql, settle);
      else connection.execute(sql, parameters as string[], settle);
    });
    const forget = () => {
      if (parameters.length > MAX_KEPT_PARAMETERS) connection.unprepare(sql);
    };
    answer.then(forget, () => {});
    patiently(answer, onError).then(
      (result) => callback(undefined, result),
      (error: { errno?: number }) => {
        // The server closes the connection, but after the pool has lent it to somebody else.
        if (error.errno === PACKET_TOO_LARGE) isBroken = true;
        callback(error, undefined);
      },
    );
  };
  return {
    query: query as unknown as MysqlPoolConnection['query'],
    release() {
      if (isBroken) connection.destroy();
      else connection.release();
      connection.off('error', onError);
    },
  };
}
