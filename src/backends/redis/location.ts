import { serverList, withoutLogin } from '../server-list';
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
  if (/^unix:|^\/[^/]/.test(server)) return socketOf(server);
  // A bare number is a port here.
  if (!/^\d+$/.test(server)) urlOf(server, /^\/?\d*$/);
  return server;
}

function socketOf(server: string): object {
  const parts =
    /^(?:unix:)?(?:\/\/)?(?:([^:@/]*)(?::([^@/]*))?@)?(\/[^?/][^?]*)(?:\?db=(\d+))?$/.exec(server);
  if (parts === null) throw refusal(server);
  const [, username, password, path, db] = parts;
  return {
    path,
    ...(username && { username: decoded(username, server) }),
    ...(password && { password: decoded(password, server) }),
    ...(db && { db: Number(db) }),
  };
}

/** The server as a URL; of `host:port`, one with a scheme. @param path - What may follow it. */
function urlOf(server: string, path: RegExp): URL {
  const text = /^rediss?:\/\//i.test(server) ? server : `redis://${server}`;
  if (!URL.canParse(text)) throw refusal(server);
  const url = new URL(text);
  if (url.hostname === '' || !path.test(url.pathname) || url.hash !== '') throw refusal(server);
  decoded(url.username, server);
  decoded(url.password, server);
  return url;
}

function decoded(text: string, server: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refusal(server);
  }
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
    return urlOf(server, /^\/?$/);
  });
  const { username, password, protocol } = urls[0]!;
  return {
    nodes: urls.map(({ hostname, port }) => ({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port || 6379),
    })),
    shared: {
      ...(username && { username: decoded(username, servers[0] as string) }),
      ...(password && { password: decoded(password, servers[0] as string) }),
      ...(protocol === 'rediss:' && { tls: {} }),
    },
  };
}

function refusal(server: string): TypeError {
  const shown = JSON.stringify(withoutLogin(server));
  return new TypeError(
    `The location has ${shown}. Give redis://, rediss://, unix: or host:port, with user and password percent-encoded and the database as a number; nodes of a cluster have no socket and no database.`,
  );
}
