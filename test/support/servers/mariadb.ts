import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { programPath } from './programs';
import { type NetworkServer, type Place, startServer } from './server-process';
import { type SharedDatabase, sharedDatabase } from './shared-server';

const USER = 'cachewright';
const PASSWORD = 'secret';

/** Starts a MariaDB for a test that freezes or kills it, with an empty database. It takes a few seconds: use {@link sharedMariaDb} where that will do. */
export async function startMariaDb(): Promise<NetworkServer> {
  return start(false);
}

/**
 * A fresh database on the MariaDB of this run, which the first caller starts. Call `drop()` when
 * the tests of the file are done.
 */
export async function sharedMariaDb(): Promise<SharedDatabase> {
  return sharedDatabase('mariadb', () => start(true), {
    create: (url, name) => query(url, `CREATE DATABASE ${name} CHARACTER SET utf8mb4`),
    drop: (url, name) => query(url, `DROP DATABASE ${name}`),
  });
}

async function start(isShared: boolean): Promise<NetworkServer> {
  const { server, place } = await startServer('mariadb', prepare, { isShared });
  return Object.assign(server, {
    url: `mysql://${USER}:${PASSWORD}@127.0.0.1:${place.port}/main`,
    host: '127.0.0.1',
    port: place.port,
  });
}

function prepare({ port, folder }: Place) {
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  // As root it asks who it shall be.
  const user = process.getuid?.() === 0 ? ['--user=root'] : [];
  // Small logs are written in no time.
  const storage = [`--datadir=${data}`, '--innodb-log-file-size=8M'];
  execFileSync(
    programPath('mariadb-install-db'),
    ['--no-defaults', ...storage, ...user, '--skip-test-db', '--skip-name-resolve'],
    { cwd: folder, stdio: 'pipe' },
  );
  const initFile = join(folder, 'init.sql');
  writeFileSync(
    initFile,
    `CREATE DATABASE IF NOT EXISTS main CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS '${USER}'@'127.0.0.1' IDENTIFIED BY '${PASSWORD}';
GRANT ALL ON *.* TO '${USER}'@'127.0.0.1';
`,
  );
  return {
    program: programPath('mariadbd'),
    args: [
      ...['--no-defaults', ...storage, ...user, '--skip-name-resolve'],
      ...['--bind-address=127.0.0.1', `--port=${port}`, `--init-file=${initFile}`],
      ...[`--socket=${join(folder, 'mariadb.sock')}`, `--pid-file=${join(folder, 'pid')}`],
      ...['--innodb-buffer-pool-size=16M', '--innodb-flush-log-at-trx-commit=0'],
      ...['--innodb-fast-shutdown=2', '--performance-schema=OFF'],
    ],
    ready: { log: /ready for connections/ },
  };
}

async function query(url: string, sql: string): Promise<void> {
  // Not every test file that starts a server is to load this one's client.
  const { createConnection } = await import('mysql2/promise');
  const connection = await createConnection(url);
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}
