import { type RedisServer, type RedisServerOptions, startRedis } from './redis';
import { untilRedisSays } from './redis-client';

/** A leader and its replicas. */
export interface RedisReplicas {
  readonly leader: RedisServer;
  readonly replicas: readonly RedisServer[];
  /** Of the leader, then of each replica. */
  readonly urls: readonly string[];
  /** Stops them all. */
  stop(): Promise<void>;
}

/** Starts a leader and its replicas, and waits until they have its data. */
export async function startRedisReplicas({
  replicas: count = 2,
  ...options
}: Omit<RedisServerOptions, 'tls' | 'unixSocket'> & {
  readonly replicas?: number;
} = {}): Promise<RedisReplicas> {
  const secret = options.user?.password ?? options.password;
  // The leader has them too: after a failover it is a replica itself.
  const login: Record<string, string> = secret === undefined ? {} : { masterauth: secret };
  if (options.user !== undefined) login.masteruser = options.user.name;
  const config = { ...login, ...options.config };
  const leader = await startRedis({ ...options, config });
  const replicaof = `127.0.0.1 ${leader.port}`;
  const replicas = await Promise.all(
    Array.from({ length: count }, () =>
      startRedis({ ...options, config: { ...config, replicaof } }),
    ),
  );
  const online = replicas.map(({ port }) => new RegExp(`^slave\\d+:.*port=${port},state=online`));
  await untilRedisSays(leader, online, 'INFO', 'replication');
  for (const replica of replicas) {
    await untilRedisSays(replica, ['master_link_status:up'], 'INFO', 'replication');
  }
  const all = [leader, ...replicas];
  return {
    leader,
    replicas,
    urls: all.map(({ url }) => url),
    stop: async () => void (await Promise.all(all.map((server) => server.stop()))),
  };
}
