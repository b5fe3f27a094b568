/** What routers are told of an entry: Django's model of the cache table. */
export interface CacheEntryModel {
  readonly appLabel: 'django_cache';
  readonly modelName: 'CacheEntry';
  /** The table at hand. */
  readonly table: string;
}

/**
 * Says which of several databases to use. A method that is left out, or returns `null` or nothing,
 * has no opinion: the next router is asked, and in the end it is `default`.
 *
 * @see Django's `DATABASE_ROUTERS`
 */
export interface DatabaseRouter {
  /** The database to read from: `get`, `getMany`, `hasKey`. */
  dbForRead?(model: CacheEntryModel): string | null | undefined;
  /** The database to write to, which is also where expired entries are deleted. */
  dbForWrite?(model: CacheEntryModel): string | null | undefined;
  /** Whether `createcachetable` may make a table in this database. */
  allowMigrate?(
    database: string,
    appLabel: 'django_cache',
    options: { readonly modelName: 'CacheEntry'; readonly model: CacheEntryModel },
  ): boolean | null | undefined;
}
