import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { programPath } from './programs';
import { type NetworkServer, type Place, startServer } from './server-process';

/** How a Memcached of a test is to be. */
export interface MemcachedServerOptions {
  /** Listens on a Unix socket alone. */
  readonly unixSocket?: boolean;
  /** The largest item it takes, in bytes: a power of two. Default: 1 MiB, as Memcached has it. */
  readonly itemLimit?: number;
  /** The memory it may fill before it evicts, in MiB. Default: 64, as Memcached has it. */
  readonly memory?: number;
  /** Asks every connection for this user. Needs `describeWithServer('memcached-sasl', …)`. */
  readonly sasl?: { readonly username: string; readonly password: string };
}

/** A running Memcached. */
export interface MemcachedServer extends NetworkServer {
  /** `host:port`, or the path of its Unix socket. */
  readonly url: string;
  /** Its Unix socket, if it listens on one. */
  readonly path: string | undefined;
}

/** Starts a Memcached. */
export async function startMemcached(
  options: MemcachedServerOptions = {},
): Promise<MemcachedServer> {
  const { server, place } = await startServer('memcached', (place) => prepare(place, options));
  const path = options.unixSocket ? socketOf(place) : undefined;
  return Object.assign(server, {
    url: path ?? `127.0.0.1:${place.port}`,
    host: '127.0.0.1',
    port: place.port,
    path,
  });
}

function prepare(place: Place, options: MemcachedServerOptions) {
  const { port, folder } = place;
  const { unixSocket = false, itemLimit, memory, sasl } = options;
  const args = unixSocket ? ['-s', socketOf(place)] : ['-l', '127.0.0.1', '-p', String(port)];
  // As root it asks who it shall be.
  if (process.getuid?.() === 0) args.push('-u', 'root');
  if (itemLimit !== undefined) {
    // Memcached puts large items together from chunks, which may not be larger themselves.
    const chunk = Math.min(itemLimit / 2, 512 * 1024);
    args.push('-I', String(itemLimit), '-o', `slab_chunk_max=${chunk}`);
  }
  if (memory !== undefined) args.push('-m', String(memory));
  if (sasl !== undefined) args.push('-S');
  const portFile = join(folder, 'ports');
  return {
    program: programPath('memcached'),
    args,
    env: {
      MEMCACHED_PORT_FILENAME: portFile,
      ...(sasl === undefined ? {} : saslEnvironment(folder, sasl)),
    },
    // SIGTERM takes it a second, and it has nothing to save.
    stopSignal: 'SIGKILL' as const,
    ready: { file: unixSocket ? socketOf(place) : portFile },
  };
}

function socketOf({ folder }: Place): string {
  return join(folder, 'memcached.sock');
}

/** Makes a database of one user, and says where it is. */
function saslEnvironment(
  folder: string,
  { username, password }: { readonly username: string; readonly password: string },
): Record<string, string> {
  const database = join(folder, 'sasldb');
  writeFileSync(join(folder, 'memcached.conf'), `mech_list: plain\nsasldb_path: ${database}\n`);
  // Memcached looks for its users in the realm of the host's name.
  const args = ['-p', '-c', '-f', database, '-a', 'memcached', '-u', hostname(), username];
  execFileSync(programPath('saslpasswd2'), args, { input: password });
  return { SASL_CONF_PATH: folder };
}
