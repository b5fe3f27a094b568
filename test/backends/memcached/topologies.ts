import { type CacheParams, MemcachedCache } from 'cachewright';
import { describeWithServer, type MemcachedServer, startMemcached } from '../../support/servers';
import { UNHURRIED_MEMCACHED } from '../../support/unhurried';

/** Servers a cache may stand on, and how each is started. */
const TOPOLOGIES: Record<string, () => Promise<MemcachedServer>[]> = {
  'one server': () => [startMemcached()],
  'three servers': () => [startMemcached(), startMemcached(), startMemcached()],
  'a Unix socket': () => [startMemcached({ unixSocket: true })],
};

/** Runs a suite on each arrangement of servers. @param body - Gets the servers, once they run. */
export function describeTopologies(
  body: (topology: string, servers: () => readonly MemcachedServer[]) => void,
): void {
  describeWithServer('memcached', 'MemcachedCache', () => {
    describe.each(Object.entries(TOPOLOGIES))('on %s', (topology, start) => {
      let servers: MemcachedServer[];
      beforeAll(async () => {
        servers = await Promise.all(start());
      });
      afterAll(() => Promise.all(servers.map((server) => server.stop())));

      body(topology, () => servers);
    });
  });
}

/** The location of a cache on these servers. */
export function locationOf(servers: readonly MemcachedServer[]): string[] {
  return servers.map(({ url }) => url);
}

/** A cache there. */
export function openAt(servers: readonly MemcachedServer[], params: CacheParams): MemcachedCache {
  return new MemcachedCache(locationOf(servers), {
    ...params,
    options: { ...UNHURRIED_MEMCACHED, ...params.options },
  });
}
