import { type CacheParams, RedisCache, type RedisLocation, type RedisOptions } from 'cachewright';
import { Cluster, Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import {
  describeWithServer,
  type NetworkServer,
  startRedis,
  startRedisCluster,
  startRedisReplicas,
  startSentinel,
} from '../../support/servers';
import { UNHURRIED } from '../../support/unhurried';

/** Where a suite's Redis is, and what ends it. */
export interface Place {
  readonly location: RedisLocation;
  readonly options?: RedisOptions;
  readonly masters: readonly NetworkServer[];
  stop(): Promise<void>;
}

const TOPOLOGIES: Record<string, () => Promise<Place>> = {
  'one server': async () => {
    const server = await startRedis();
    return { location: server.url, masters: [server], stop: () => server.stop() };
  },
  'a leader and two replicas': async () => {
    const { urls, leader, stop } = await startRedisReplicas({ replicas: 2 });
    // Or a replica that lags would be asked, once a busy machine has taken its time.
    return { location: urls, options: { ownWritesMs: 600_000 }, masters: [leader], stop };
  },
  'a cluster of three masters': async () => {
    const { urls, nodes, stop } = await startRedisCluster();
    return { location: urls, options: { cluster: true }, masters: nodes, stop };
  },
  Sentinel: async () => {
    const { sentinels, name, leader, stop } = await startSentinel();
    return { location: '', options: { sentinels, name }, masters: [leader], stop };
  },
  'a ready-made client of ioredis 6': async () => {
    const server = await startRedis();
    const location = new Redis(server.url);
    return { location, masters: [server], stop: () => closed(location, server) };
  },
  'a ready-made client of ioredis 5': async () => {
    const server = await startRedis();
    const location = new Redis5(server.url);
    return { location, masters: [server], stop: () => closed(location, server) };
  },
  'a ready-made Cluster': async () => {
    const cluster = await startRedisCluster();
    const location = new Cluster([...cluster.urls]);
    return { location, masters: cluster.nodes, stop: () => closed(location, cluster) };
  },
};

async function closed(client: { quit(): Promise<unknown> }, server: { stop(): Promise<void> }) {
  await client.quit();
  await server.stop();
}

/** Calls `body` for each way to run Redis, on servers of its own. */
export function describeTopologies(
  names: readonly string[],
  body: (name: string, place: () => Place) => void,
): void {
  describe.each(names.map((name) => [name, TOPOLOGIES[name]!] as const))('%s', (name, start) => {
    describeWithServer('redis', 'real servers', () => {
      let place: Place;
      beforeAll(async () => {
        place = await start();
      });
      afterAll(() => place.stop());
      body(name, () => place);
    });
  });
}

export const ALL_TOPOLOGIES = Object.keys(TOPOLOGIES);

/** Those that differ in what goes over the wire. */
export const WIRE_TOPOLOGIES = ALL_TOPOLOGIES.slice(0, 4);

/** A cache there. */
export function openAt({ location, options }: Place, params: CacheParams): RedisCache {
  return new RedisCache(location, {
    ...params,
    options: {
      ...UNHURRIED,
      ...params.options,
      ...options,
      // Some of the suite's functions leave no trace of what a key belongs to.
      clears: params.keyFunction === undefined ? 'prefix' : 'database',
    },
  });
}
