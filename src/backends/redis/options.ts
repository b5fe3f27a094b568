import type { ServerOptions } from '../server-cache';

/** A host and its port. */
export interface RedisAddress {
  readonly host?: string;
  readonly port?: number;
}

/**
 * Options that reach ioredis as they are. It takes more than are named here: for those, hand in a
 * ready-made client as the location.
 *
 * @see https://redis.github.io/ioredis/
 */
export interface RedisClientOptions {
  /** Number of the database, unless the URL has one. Not on a cluster. @defaultValue 0 */
  readonly db?: number;
  /** User of the server's access list, unless the URL has one. */
  readonly username?: string;
  readonly password?: string;
  /** Options of `tls.connect()`, such as `ca`; `rediss://` alone turns TLS on with defaults. */
  readonly tls?: object;
  /** 4 or 6; 0: either. */
  readonly family?: number;
  /** Shown by the server in `CLIENT LIST`. */
  readonly connectionName?: string;
  /** Added to the name of the library that is told to the server. @defaultValue 'cachewright' */
  readonly clientInfoTag?: string;
  /** Tells the server no name of a library at all. */
  readonly disableClientInfo?: boolean;
  /** Milliseconds to connect. @defaultValue 1000 */
  readonly connectTimeout?: number;
  /** Milliseconds without an answer after which a connection is given up. @defaultValue 2000 */
  readonly socketTimeout?: number;
  /** Milliseconds after which ioredis gives up on a command. Mind `readTimeoutMs` instead. */
  readonly commandTimeout?: number;
  readonly keepAlive?: number;
  readonly noDelay?: boolean;
  /** 2 or 3; ioredis 6 alone. */
  readonly protocol?: 2 | 3;
  /** Milliseconds until the next attempt to connect. @defaultValue up to 300 */
  readonly retryStrategy?: ((times: number) => number | undefined | null) | null;
  readonly reconnectOnError?: ((error: Error) => boolean | 1 | 2) | null;
  readonly enableReadyCheck?: boolean;
  /** @defaultValue true */
  readonly lazyConnect?: boolean;
  /** Whether commands wait for a connection, without bound. @defaultValue false */
  readonly enableOfflineQueue?: boolean;
  /** Whether commands that a lost connection left open are sent again. @defaultValue false */
  readonly autoResendUnfulfilledCommands?: boolean;
  /** Connections for which a command waits; `null`: any number. @defaultValue 0 */
  readonly maxRetriesPerRequest?: number | null;
  /** Milliseconds that a connection has to close. @defaultValue 200 */
  readonly disconnectTimeout?: number;
  /** Milliseconds until a server that loads its data is asked again. @defaultValue 200 */
  readonly maxLoadingRetryTime?: number;
  /** Whether errors tell where a command was sent from, which is slow. */
  readonly showFriendlyErrorStack?: boolean;
  readonly enableAutoPipelining?: boolean;

  /** Sentinels, which know the leader. Leave the location out. */
  readonly sentinels?: readonly RedisAddress[];
  /** What the Sentinels call the leader. */
  readonly name?: string;
  /** `'slave'`: a replica in its place, for reading. @defaultValue 'master' */
  readonly role?: 'master' | 'slave';
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  readonly sentinelTLS?: object;
  /** Milliseconds in which a Sentinel must answer, or the next is asked. @defaultValue 1000 */
  readonly sentinelCommandTimeout?: number;
  /** Milliseconds until the Sentinels are asked again, once none has answered. */
  readonly sentinelRetryStrategy?: ((times: number) => number | undefined | null) | null;
  /** Whether Sentinels that others know are asked, too. */
  readonly updateSentinels?: boolean;
  readonly enableTLSForSentinelMode?: boolean;
  /** Follows what the Sentinels announce, not only lost connections. */
  readonly failoverDetector?: boolean;
  /** Addresses as seen from here, by those the servers tell. */
  readonly natMap?: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
}

/** Options of Redis. All but the ones described here are those of ioredis. */
export interface RedisOptions extends ServerOptions, RedisClientOptions {
  /**
   * The location names nodes of a cluster. An object: options of ioredis' `Cluster`, unchanged.
   * Options beside it (`username`, `password`, `tls`, …) are those of each node's connection.
   *
   * @defaultValue false
   */
  readonly cluster?: boolean | object;

  /**
   * What `clear()` removes. `'prefix'`: the entries of this key prefix, found by `SCAN`.
   * `'database'`: everything in the database, others' keys too, by `FLUSHDB`, as Django does.
   *
   * @defaultValue 'prefix'
   */
  readonly clears?: 'prefix' | 'database';

  /**
   * Milliseconds in which this process reads from the leader what it has just written or removed,
   * as replicas lag behind. `0`: never. The last 10 000 such keys are remembered.
   *
   * @defaultValue 1000
   */
  readonly ownWritesMs?: number;
}

/** Ours, that ioredis must not see. */
const OWN_OPTIONS: Record<string, true> = {
  readTimeoutMs: true,
  writeTimeoutMs: true,
  maxPending: true,
  onError: true,
  onFailure: true,
  serializer: true,
  maxEntries: true,
  cullFrequency: true,
  cluster: true,
  clears: true,
  ownWritesMs: true,
} satisfies Record<
  Exclude<keyof RedisOptions, keyof RedisClientOptions> | 'maxEntries' | 'cullFrequency',
  true
>;

/** The names of {@link OWN_OPTIONS}. */
export const OWN_REDIS_OPTIONS: readonly string[] = Object.keys(OWN_OPTIONS);

/** Longest pause before the next attempt to connect: a server that is back is used soon. */
const MAX_RETRY_MS = 300;

/** What ioredis is told unless the user says otherwise. */
const CLIENT_DEFAULTS = {
  // Made with the cache, connected with its first operation.
  lazyConnect: true,
  // Commands of a time that is over must neither pile up nor be carried out late.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  retryStrategy: (times: number) => Math.min(10 * 2 ** times, MAX_RETRY_MS),
  // A leader that became a replica: the name, or the Sentinels, lead to the new one.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  connectTimeout: 1000,
  // A host that is gone without a word would keep its connection for minutes.
  socketTimeout: 2000,
  // Else a server that hangs keeps a process alive that has closed its caches.
  disconnectTimeout: 200,
  // A Sentinel that hangs is passed over; without it ioredis waits for it for ever.
  sentinelCommandTimeout: 1000,
  // Asked again while it loads its data.
  maxLoadingRetryTime: 200,
  clientInfoTag: 'cachewright',
};

/** What ioredis is told of a cluster unless the user says otherwise. */
const CLUSTER_DEFAULTS = {
  lazyConnect: true,
  clusterRetryStrategy: CLIENT_DEFAULTS.retryStrategy,
  // A command that waits for a failover would be carried out when its caller has long given up.
  retryDelayOnFailover: 0,
  retryDelayOnClusterDown: 0,
  retryDelayOnTryAgain: 20,
  // Finds nodes that were added, and new masters, before a command is sent astray.
  slotsRefreshInterval: 5000,
};

/** Options for ioredis' `Redis`. */
export function clientOptions(options: RedisOptions): object {
  return { ...CLIENT_DEFAULTS, ...foreign(options) };
}

/** Options for ioredis' `Cluster`; `fromUrl` is what the location says of each connection. */
export function clusterOptions(options: RedisOptions, fromUrl: object): object {
  const { redisOptions, ...given } = (
    typeof options.cluster === 'object' ? options.cluster : {}
  ) as { redisOptions?: object };
  return {
    ...CLUSTER_DEFAULTS,
    ...given,
    redisOptions: { ...CLIENT_DEFAULTS, ...fromUrl, ...foreign(options), ...redisOptions },
  };
}

function foreign(options: RedisOptions): object {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !(name in OWN_OPTIONS)));
}
