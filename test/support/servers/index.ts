export { describeWithServer } from './describe-with-server';
export { type MariaDbServer, sharedMariaDb, startMariaDb } from './mariadb';
export { type MemcachedServer, type MemcachedServerOptions, startMemcached } from './memcached';
export { type PostgresServer, sharedPostgres, startPostgres } from './postgres';
export type { ServerKind } from './programs';
export { type RedisServer, type RedisServerOptions, startRedis } from './redis';
export type { Server } from './server-process';
export type { SharedDatabase } from './shared-server';
