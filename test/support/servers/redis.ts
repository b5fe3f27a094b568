import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Certificate, makeCertificate } from './certificate';
import { programPath } from './programs';
import { type NetworkServer, type Place, startServer } from './server-process';

/** How a Redis of a test is to be. */
export interface RedisServerOptions {
  /** Password of the user `default` (`requirepass`). */
  readonly password?: string;
  /** A user of its own, who may do everything; `default` is then turned off. */
  readonly user?: { readonly name: string; readonly password: string };
  /** Takes TLS alone, with a certificate made on the spot. */
  readonly tls?: boolean;
  /** Listens on a Unix socket alone. */
  readonly unixSocket?: boolean;
  /** Further lines of its configuration, such as `{ maxmemory: '10mb' }`. */
  readonly config?: Readonly<Record<string, string>>;
}

/** A running Redis, which keeps nothing on disk. */
export interface RedisServer extends NetworkServer {
  /** With user and password: `redis://`, `rediss://` or `unix://`. */
  readonly url: string;
  /** Its Unix socket, if it listens on one. */
  readonly path: string | undefined;
  /** The certificate to trust, in PEM, if it takes TLS. */
  readonly ca: string | undefined;
}

/** Starts a Redis. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const { server, place, command } = await startServer('redis', (place) => prepare(place, options));
  return Object.assign(server, {
    url: urlOf(place, options),
    host: '127.0.0.1',
    port: place.port,
    path: options.unixSocket ? socketOf(place) : undefined,
    ca: command.ca,
  });
}

function prepare(place: Place, options: RedisServerOptions) {
  const { port, folder } = place;
  const { password, user, tls = false, unixSocket = false } = options;
  const certificate: Certificate | undefined = tls ? makeCertificate(folder) : undefined;
  const lines: Record<string, string> = {
    bind: '127.0.0.1',
    port: tls || unixSocket ? '0' : String(port),
    dir: folder,
    save: '""',
    appendonly: 'no',
    // A replica's first copy goes over the socket at once.
    'repl-diskless-sync-delay': '0',
  };
  if (unixSocket) lines.unixsocket = socketOf(place);
  if (password !== undefined) lines.requirepass = password;
  if (certificate !== undefined) {
    Object.assign(lines, {
      'tls-port': String(port),
      'tls-cert-file': certificate.certPath,
      'tls-key-file': certificate.keyPath,
      'tls-ca-cert-file': certificate.certPath,
      'tls-auth-clients': 'no',
    });
  }
  Object.assign(lines, options.config);
  const users =
    user === undefined
      ? []
      : ['user default off', `user ${user.name} on >${user.password} ~* &* +@all`];
  const path = join(folder, 'redis.conf');
  writeFileSync(
    path,
    [...Object.entries(lines).map(([name, value]) => `${name} ${value}`), ...users, ''].join('\n'),
  );
  return {
    program: programPath('redis-server'),
    args: [path],
    ready: { log: /ready to accept connections/i },
    ca: certificate?.pem,
  };
}

function socketOf({ folder }: Place): string {
  return join(folder, 'redis.sock');
}

function urlOf(place: Place, { password, user, tls, unixSocket }: RedisServerOptions): string {
  const name = user?.name ?? '';
  const secret = user?.password ?? password;
  const login =
    secret === undefined ? '' : `${encodeURIComponent(name)}:${encodeURIComponent(secret)}@`;
  if (unixSocket) return `unix://${login}${socketOf(place)}`;
  return `${tls ? 'rediss' : 'redis'}://${login}127.0.0.1:${place.port}`;
}
