import { serverList } from '../server-list';
import {
  ioredis,
  isClusterClient,
  isRedisClient,
  type RedisClient,
  type RedisClusterClient,
} from './client';
import { RedisCluster } from './cluster';
import { RedisConnection } from './connection';
import { clientOptions, clusterOptions, type RedisOptions } from './options';
import { LeaderAndReplicas } from './replicas';
import type { RedisLimits } from './server';
import type { RedisTopology } from './topology';

/**
 * Where Redis is: a URL (`redis://`, `rediss://`, `unix:`), a `host:port`, or the path of a socket;
 * several in one string, split by `,` or `;`, or in an array; or ready-made clients of ioredis.
 */
export type RedisLocation = string | RedisClient | readonly (string | RedisClient)[];

/**
 * What opens the servers that a location names.
 *
 * @throws TypeError if it names none; Error that says what to install, if ioredis is missing.
 */
export function topologyOf(
  location: unknown,
  options: RedisOptions,
  limits: RedisLimits,
  ownWritesMs: number,
): () => RedisTopology {
  const servers = serversOf(location, options);
  if (options.cluster !== undefined && options.cluster !== false) {
    const { nodes, shared } = clusterNodes(servers);
    const { Cluster } = ioredis();
    return () => {
      const client = new Cluster(nodes, clusterOptions(options, shared));
      return new RedisCluster(client, new RedisConnection(client, true), limits);
    };
  }
  const cluster = servers.find((server) => typeof server !== 'string' && isClusterClient(server));
  if (cluster !== undefined) {
    if (servers.length > 1) {
      throw new TypeError('The location has a Cluster and more. Give the Cluster alone.');
    }
    const client = cluster as RedisClusterClient;
    return () => new RedisCluster(client, new RedisConnection(client, false), limits);
  }
  const openers = servers.map((server) => opener(server, options));
  return () =>
    new LeaderAndReplicas(
      openers.map((open) => open()),
      limits,
      ownWritesMs,
    );
}

function serversOf(location: unknown, options: RedisOptions): (string | RedisClient)[] {
  if (isRedisClient(location)) return [location];
  if (Array.isArray(location) && location.some(isRedisClient)) {
    return location.flatMap((server: unknown): (string | RedisClient)[] =>
      isRedisClient(server) ? [server] : serverList(server, EXAMPLE),
    );
  }
  // The Sentinels say where it is.
  if (location === '' && options.sentinels !== undefined) return [''];
  return serverList(location, EXAMPLE);
}

const EXAMPLE = 'redis://localhost:6379';

function opener(server: string | RedisClient, options: RedisOptions): () => RedisConnection {
  if (typeof server !== 'string') return () => new RedisConnection(server, false);
  const { Redis } = ioredis();
  const settings = [...(server === '' ? [] : [addressOf(server)]), clientOptions(options)];
  return () => new RedisConnection(new Redis(...settings), true);
}

/** What ioredis takes for this server: the URL as it is, where it knows the scheme. */
function addressOf(server: string): string | object {
  const unix = /^unix:(?:\/\/)?(?:([^:@/]*)(?::([^@/]*))?@)?(\/[^?]*)(?:\?db=(\d+))?$/.exec(server);
  if (unix !== null) {
    const [, username, password, path, db] = unix;
    return {
      path,
      ...(username && { username: decodeURIComponent(username) }),
      ...(password && { password: decodeURIComponent(password) }),
      ...(db && { db: Number(db) }),
    };
  }
  if (/^[a-z+]+:/i.test(server) && !/^(rediss?:\/\/|[^:]+:\d+)/i.test(server)) {
    throw unknownScheme(server);
  }
  return server;
}

/** Startup nodes, and what their URLs say that holds for the nodes they lead to as well. */
function clusterNodes(servers: readonly (string | RedisClient)[]): {
  nodes: object[];
  shared: object;
} {
  const urls = servers.map((server) => {
    if (typeof server !== 'string') {
      throw new TypeError(
        'The location has a ready-made client beside options.cluster. Give a Cluster alone.',
      );
    }
    const url = new URL(/^rediss?:\/\//i.test(server) ? server : `redis://${server}`);
    if (url.hostname === '' || url.pathname.length > 1) throw unknownScheme(server);
    return url;
  });
  const { username, password, protocol } = urls[0]!;
  return {
    nodes: urls.map(({ hostname, port }) => ({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port || 6379),
    })),
    shared: {
      ...(username && { username: decodeURIComponent(username) }),
      ...(password && { password: decodeURIComponent(password) }),
      ...(protocol === 'rediss:' && { tls: {} }),
    },
  };
}

function unknownScheme(server: string): TypeError {
  // Not as it is: it may hold a password.
  const shown = server.replace(/\/\/.*@/, '//…@');
  return new TypeError(
    `The location has ${JSON.stringify(shown)}. Give redis://, rediss://, unix: or host:port; nodes of a cluster have no socket and no database number.`,
  );
}
