import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { programPath } from './programs';
import { type NetworkServer, type Place, startServer } from './server-process';
import { type SharedDatabase, sharedDatabase } from './shared-server';

const USER = 'cachewright';
const PASSWORD = 'secret';

/** Starts a PostgreSQL for a test that freezes or kills it, with an empty database. It takes a second or two: use {@link sharedPostgres} where that will do. */
export async function startPostgres(): Promise<NetworkServer> {
  return start(false);
}

/**
 * A fresh database on the PostgreSQL of this run, which the first caller starts. Call `drop()`
 * when the tests of the file are done.
 */
export async function sharedPostgres(): Promise<SharedDatabase> {
  return sharedDatabase('postgres', () => start(true), {
    create: (url, name) => query(url, `CREATE DATABASE ${name}`),
    drop: (url, name) => query(url, `DROP DATABASE ${name} WITH (FORCE)`),
  });
}

async function start(isShared: boolean): Promise<NetworkServer> {
  const { server, place } = await startServer('postgres', prepare, { isShared });
  return Object.assign(server, {
    url: `postgres://${USER}:${PASSWORD}@127.0.0.1:${place.port}/postgres`,
    host: '127.0.0.1',
    port: place.port,
  });
}

function prepare({ port, folder }: Place) {
  const initdb = realpathSync(programPath('initdb'));
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(passwordFile, PASSWORD);
  const user = unprivilegedUser();
  if (user !== undefined) {
    for (const path of [folder, data, passwordFile]) chownSync(path, user.uid, user.gid);
  }
  execFileSync(
    initdb,
    [
      ...['--pgdata', data, '--username', USER, '--pwfile', passwordFile],
      ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C', '--no-sync'],
    ],
    { cwd: folder, stdio: 'pipe', ...user },
  );
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    // What was committed has to outlive the process, not the machine.
    fsync: 'off',
    full_page_writes: 'off',
    autovacuum: 'off',
    shared_buffers: '16MB',
    dynamic_shared_memory_type: 'mmap',
  };
  return {
    program: join(dirname(initdb), 'postgres'),
    args: [
      '-D',
      data,
      ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    ],
    user,
    // SIGTERM waits until the last client has gone.
    stopSignal: 'SIGINT' as const,
    ready: { log: /database system is ready to accept connections/ },
  };
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string, name: string) =>
    Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }));
  for (const name of ['postgres', 'nobody']) {
    try {
      return { uid: id('-u', name), gid: id('-g', name) };
    } catch {
      // No such user here.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody.');
}

async function query(url: string, sql: string): Promise<void> {
  // Not every test file that starts a server is to load this one's client.
  const { Client } = await import('pg');
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
