import { Database } from '../../src/backends/database/database';
import { createTable } from '../../src/backends/database/schema';
import type { PageProcessPlan } from '../support/page-process';
import { type NetworkServer, startMemcached, startPostgres, startRedis } from '../support/servers';

/** A backend whose server may be frozen and killed. */
export interface OutageBackend {
  readonly kind: 'redis' | 'memcached' | 'postgres';
  readonly name: string;
  readonly start: () => Promise<NetworkServer>;
  /** What a server needs before it can be used. */
  readonly prepare?: (server: NetworkServer) => Promise<void>;
  readonly cacheOf: (server: NetworkServer) => PageProcessPlan['cache'];
}

export const OUTAGE_BACKENDS: readonly OutageBackend[] = [
  {
    kind: 'redis',
    name: 'Redis',
    start: startRedis,
    cacheOf: ({ url }) => ({ backend: 'redis', location: url }),
  },
  {
    kind: 'memcached',
    name: 'Memcached',
    start: startMemcached,
    cacheOf: ({ url }) => ({ backend: 'memcached', location: url }),
  },
  {
    kind: 'postgres',
    name: 'PostgreSQL',
    start: startPostgres,
    prepare: async ({ url }) => {
      const database = new Database(url);
      await createTable(database.open(database), 'pages');
      await database.release(database);
    },
    cacheOf: ({ url }) => ({
      backend: 'database',
      location: 'pages',
      options: { database: url, maxEntries: 100_000 },
    }),
  },
];
