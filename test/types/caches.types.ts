/** Read by the compiler alone: each `@ts-expect-error` is an error that users are to get. */
import {
  type BaseCache,
  type CacheSettings,
  cache,
  configureCaches,
  configureDatabases,
  createCaches,
  type DatabaseCache,
  type DatabaseOptions,
  DummyCache,
  type FileBasedCache,
  LocMemCache,
  type MemcachedCache,
  type RedisCache,
  type TieredCache,
} from 'cachewright';
import { describeCacheContract } from 'cachewright/testing';
import { Cluster, Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import type { Kysely } from 'kysely';
import Database from 'libsql';
import { Client } from 'memjs';
import type { Pool as PromisePool } from 'mysql2/promise';
import type { Pool } from 'pg';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if `A` is exactly `B`. */
function isExactly<A, B>(_proof: Equal<A, B>): void {}

class PagesCache extends LocMemCache {
  purge(): number {
    return 0;
  }
}

export function aliases(): void {
  const caches = configureCaches({
    default: {},
    memory: { backend: 'locmem', location: 'a', options: { maxBytes: 1000 } },
    files: { backend: 'file', location: new URL('file:///var/cache/site') },
    servers: { backend: 'memcached', location: 'a:11211,b:11211', options: { maxPoolSize: 4 } },
    nothing: { backend: 'dummy' },
    table: { backend: 'database', location: 'cache', options: { database: 'replica' } },
    redis: { backend: 'redis', location: ['redis://a', new Redis()], options: { db: 5 } },
    near: { backend: 'tiered', location: 'redis', options: { maxBytes: 1000, maxAge: 2 } },
    nearFiles: { backend: 'tiered', location: { backend: 'file', location: '/var/cache/site' } },
    pages: { backend: PagesCache, options: { anything: true } },
    byPath: { backend: './pages-cache.js#PagesCache', location: 7 },
  });

  isExactly<typeof caches.memory, LocMemCache>(true);
  isExactly<typeof caches.files, FileBasedCache>(true);
  isExactly<typeof caches.servers, MemcachedCache>(true);
  isExactly<typeof caches.nothing, DummyCache>(true);
  isExactly<typeof caches.table, DatabaseCache>(true);
  isExactly<typeof caches.redis, RedisCache>(true);
  isExactly<typeof caches.near, TieredCache>(true);
  isExactly<typeof caches.pages, PagesCache>(true);
  isExactly<typeof caches.byPath, BaseCache>(true);
  const memory: LocMemCache = caches.default;
  caches.pages.purge();
  caches.all({ initializedOnly: true });

  // @ts-expect-error: a misspelt alias
  caches.pagse;
  // @ts-expect-error: no method of this backend
  caches.memory.purge();
  // @ts-expect-error: aliases are not assigned to
  caches.memory = memory;

  const own = createCaches({ default: { backend: DummyCache } });
  isExactly<typeof own.default, DummyCache & BaseCache>(true);
  // @ts-expect-error: a misspelt alias
  own.deflaut;
}

export function settings(): void {
  createCaches({
    default: {
      timeout: null,
      keyPrefix: 'p',
      version: 'v2',
      keyFunction: (key, prefix, version) => `${prefix}${version}${key}`,
      options: { maxEntries: '10', cullFrequency: 0, serializer: 'json' },
    },
  });
  createCaches({ default: {}, files: { backend: 'file', location: '/tmp/x', timeout: '60' } });
  // @ts-expect-error: files need a directory
  createCaches({ default: {}, files: { backend: 'file' } });
  createCaches({ default: { backend: 'memcached', location: ['a', 'unix:/run/memcached.sock'] } });
  createCaches({ default: { backend: 'memcached', location: Client.create('a:11211') } });
  // @ts-expect-error: servers have to be named
  createCaches({ default: { backend: 'memcached' } });
  // @ts-expect-error: an option of the wrong type
  createCaches({ default: { backend: 'memcached', location: 'a', options: { maxPoolSize: '2' } } });
  // @ts-expect-error: an option is misspelt
  createCaches({ default: { options: { maxBites: 1000 } } });
  // @ts-expect-error: a local tier needs a shared cache
  createCaches({ default: { backend: 'tiered' } });
  // @ts-expect-error: local memory is not shared
  createCaches({ default: { backend: 'tiered', location: { backend: 'locmem' } } });
  // @ts-expect-error: an option is misspelt
  createCaches({ default: { backend: 'tiered', location: 'redis', options: { maxAges: 1 } } });
  // @ts-expect-error: a directory is a path or a URL
  createCaches({ default: {}, files: { backend: 'file', location: 5 } });
  // @ts-expect-error: seconds, not a date
  createCaches({ default: { timeout: new Date() } });
  createCaches({
    default: { backend: 'redis', options: { sentinels: [{ host: 'a' }], name: 'main' } },
    cluster: { backend: 'redis', location: new Cluster(['redis://a']) },
    older: { backend: 'redis', location: new Redis5() },
  });
  // @ts-expect-error: everything, or what has the prefix
  createCaches({ default: { backend: 'redis', options: { clears: 'all' } } });
  // @ts-expect-error: no client of Redis
  createCaches({ default: { backend: 'redis', location: new Map() } });
  // @ts-expect-error: no class of a cache
  createCaches({ default: { backend: Map } });
}

export function optionNames(own: DatabaseOptions, any: Record<string, CacheSettings>): void {
  createCaches({
    default: { backend: 'redis', options: { maxRetriesPerRequest: 1, lazyConnect: false } },
    table: { backend: 'database', location: 'cache', options: own },
    pages: { backend: PagesCache, options: { maxBites: 1000 } },
    byPath: { backend: './pages-cache.js', options: { maxBites: 1000 } },
    nothing: { backend: 'dummy', options: { maxBites: 1000 } },
  });
  createCaches({ default: {}, ...any });
  // @ts-expect-error: misspelt, of local memory
  createCaches({ default: { backend: 'locmem', options: { maxBites: 1000 } } });
  // @ts-expect-error: misspelt, of files
  createCaches({ default: { backend: 'file', location: '/x', options: { maxEntires: 9 } } });
  // @ts-expect-error: misspelt, of Memcached
  createCaches({ default: { backend: 'memcached', location: 'a', options: { maxPoolsize: 2 } } });
  // @ts-expect-error: misspelt, of a database, beside one that is not
  createCaches({ default: { backend: 'database', location: 'a', options: { ...own, mode: 1 } } });
  // @ts-expect-error: misspelt, of Redis
  createCaches({ default: { backend: 'redis', options: { db: 1, ownWritesMS: 5 } } });
  // @ts-expect-error: misspelt, beside an alias that is right
  configureCaches({ default: {}, a: { backend: 'redis', options: { readTimeout: 5 } } });
}

export function databases(
  pool: Pool,
  promises: PromisePool,
  kysely: Kysely<{ a: { b: 1 } }>,
): void {
  configureDatabases(
    { default: 'postgres://localhost/site', pool, promises, kysely, file: new Database('a.db') },
    {
      routers: [
        {
          dbForRead: (model) => (model.table === 'cache' ? 'pool' : null),
          dbForWrite: () => undefined,
          allowMigrate: (database, appLabel, { modelName }) =>
            appLabel === 'django_cache' && modelName === 'CacheEntry' && database === 'default',
        },
      ],
    },
  );
  createCaches({
    default: {
      backend: 'database',
      location: 'cache',
      options: { database: kysely, onError: 'miss' },
    },
  });
  // @ts-expect-error: a database is no number
  configureDatabases({ default: 5 });
  // @ts-expect-error: a method is misspelt
  configureDatabases({}, { routers: [{ dbForReading: () => null }] });
  // @ts-expect-error: it needs a table
  createCaches({ default: { backend: 'database' } });
  // @ts-expect-error: no way to treat errors
  createCaches({ default: { backend: 'database', location: 'cache', options: { onError: '' } } });
}

export async function values(): Promise<void> {
  for (const backend of [cache, createCaches({ default: {} }).default]) {
    isExactly<Awaited<ReturnType<typeof backend.hasKey>>, boolean>(true);
    const unknownValue = await backend.get('k');
    isExactly<typeof unknownValue, unknown>(true);
    const text = await backend.get<string>('k');
    isExactly<typeof text, string | undefined>(true);
    const orNull = await backend.get<string, null>('k', null);
    isExactly<typeof orNull, string | null>(true);
    const many = await backend.getMany<number>(['k'] as const);
    isExactly<typeof many, Record<string, number>>(true);
    const made = await backend.getOrSet('k', async () => ({ a: 1 }), 10);
    isExactly<typeof made, { a: number }>(true);
    const given = await backend.getOrSet('k', 'text');
    isExactly<typeof given, string>(true);
    const tagged = await backend.getOrSet('k', async () => ({ id: 1 }), 10, {
      tags: ({ id }) => [`product:${id.toFixed()}`],
    });
    isExactly<typeof tagged, { id: number }>(true);
    await backend.getOrSet('k', 'text', 10, { version: 2, tags: ['product:1'] });
    await backend.add('k', 1, 10, { tags: ['product:1'] });
    await backend.setMany({ k: 1 }, 10, { tags: ['product:1'] });
    // @ts-expect-error: what is read has no tags to give
    await backend.get('k', undefined, { tags: ['product:1'] });
    // @ts-expect-error: tags stand in a list
    await backend.set('k', 1, 10, { tags: 'product:1' });
    await backend.set('k', 1, null, { version: 2 });
    await backend.setMany(new Map([['k', 1]]), 10);
    // @ts-expect-error: seconds are a number
    await backend.set('k', 1, '10');
    // @ts-expect-error: keys are strings
    await backend.get(1);
    // @ts-expect-error: an option is misspelt
    await backend.delete('k', { vresion: 2 });
  }
  // What a built-in backend returns is as precise as what BaseCache does.
  const fromMemory = await new LocMemCache().get<number>('k');
  isExactly<typeof fromMemory, number | undefined>(true);
  const fromNothing = await new DummyCache().get('k');
  isExactly<typeof fromNothing, unknown>(true);
}

export function contract(): void {
  describeCacheContract('PagesCache', (params) => new PagesCache('', params), {
    advance: async (_seconds) => {},
    culling: 'ignored',
  });
  // @ts-expect-error: no such trait
  describeCacheContract('PagesCache', () => new PagesCache(), { clears: 'everything' });
}
