import { MemcachedCache } from 'cachewright';
import { describeWithServer, type MemcachedServer, startMemcached } from '../../support/servers';
import { describeCacheContract } from '../contract';

/** Servers a cache may stand on, and how each is started. */
const TOPOLOGIES: Record<string, () => Promise<MemcachedServer>[]> = {
  'one server': () => [startMemcached()],
  'three servers': () => [startMemcached(), startMemcached(), startMemcached()],
  'a Unix socket': () => [startMemcached({ unixSocket: true })],
};

describeWithServer('memcached', 'MemcachedCache', () => {
  describe.each(Object.entries(TOPOLOGIES))('on %s', (_name, start) => {
    let servers: MemcachedServer[];
    beforeAll(async () => {
      servers = await Promise.all(start());
    });
    afterAll(() => Promise.all(servers.map((server) => server.stop())));

    describeCacheContract(
      'MemcachedCache',
      (params) =>
        new MemcachedCache(
          servers.map(({ url }) => url),
          params,
        ),
      {
        fractionalTimeouts: false,
        fractionalDeltas: false,
        negativeCounters: false,
        deleteReportsExpired: false,
        culling: 'ignored',
        keyFaults: 'throw',
      },
    );
  });
});
