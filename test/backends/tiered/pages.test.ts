import { caches } from 'cachewright';
import { describePages } from '../../page-cache/pages';
import { describeWithServer, type MemcachedServer, startMemcached } from '../../support/servers';
import { describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED, UNHURRIED_MEMCACHED } from '../../support/unhurried';
import { describeTopologies } from '../redis/topologies';

const options = { trustMs: 100 };

// Each test has caches of its own, which look for changes until they are closed.
afterEach(() => caches.closeAll());

describeTopologies(['one server', 'a cluster of three masters'], (name, place) => {
  describePages(`a local tier over Redis, ${name}`, () => {
    const { location, options: own } = place();
    const shared = { backend: 'redis', location, options: { ...UNHURRIED, ...own } } as const;
    return { backend: 'tiered', location: shared, options };
  });
});

describeWithServer('memcached', 'A local tier over Memcached', () => {
  let server: MemcachedServer;
  beforeAll(async () => {
    server = await startMemcached();
  });
  afterAll(() => server.stop());
  describePages('a local tier over Memcached', () => ({
    backend: 'tiered',
    location: { backend: 'memcached', location: server.url, options: UNHURRIED_MEMCACHED },
    options,
  }));
});

describeEachDatabase('A local tier over a database', (database) => {
  let table: string;
  beforeAll(async () => {
    table = await database.createTable();
  });
  describePages('a local tier', () => ({
    backend: 'tiered',
    location: {
      backend: 'database',
      location: table,
      options: { ...UNHURRIED, database: database.url },
    },
    options,
  }));
});
