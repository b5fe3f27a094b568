export { DatabaseCache, type DatabaseOptions } from './backends/database/cache';
export {
  configureDatabases,
  type DatabasesOptions,
} from './backends/database/configure-databases';
export type { CacheEntryModel, DatabaseRouter } from './backends/database/routers';
export type {
  DatabaseSource,
  KyselyLike,
  MysqlPoolLike,
  PostgresPoolLike,
  SqliteHandleLike,
} from './backends/database/sources';
export { DummyCache } from './backends/dummy';
export { FileBasedCache, type FileBasedOptions } from './backends/file-based';
export { LocMemCache, type LocMemOptions } from './backends/loc-mem';
export { MemcachedCache, type MemcachedOptions } from './backends/memcached/cache';
export type { MemjsClient } from './backends/memcached/memjs';
export { RedisCache } from './backends/redis/cache';
export type { RedisClient } from './backends/redis/client';
export type { RedisLocation } from './backends/redis/location';
export type { RedisLock, RedisLockOptions } from './backends/redis/lock';
export type { RedisAddress, RedisClientOptions, RedisOptions } from './backends/redis/options';
export type { CacheFailure, ServerOptions } from './backends/server-cache';
export { TieredCache } from './backends/tiered/cache';
export type { TieredOptions } from './backends/tiered/options';
export {
  BaseCache,
  type CacheParams,
  type CommonCacheSettings,
  type CullingOptions,
  type Entries,
  type GetOrSetOptions,
  type PurgeOptions,
  type StoreOptions,
  type VersionOption,
} from './cache/base-cache';
export type { KeyFunction, Version } from './cache/keys';
export type { Serializer } from './cache/serializers';
export type { PurgeMode } from './cache/tags';
export type { Timeout } from './cache/timeouts';
export { type SerializerOption, ValueCodec } from './cache/value-codec';
export {
  type CacheClass,
  type CacheSettings,
  type Caches,
  type CachesMethods,
  type CustomSettings,
  cache,
  caches,
  configureCaches,
  createCaches,
  type DatabaseSettings,
  type DummySettings,
  type FileSettings,
  type LocMemSettings,
  type MemcachedSettings,
  type RedisSettings,
  type TieredSettings,
} from './caches';
export type { ConfigFile } from './cli/config-file';
export {
  CacheKeyNotFoundError,
  CacheKeyWarning,
  CacheLockedError,
  CacheMethodNotImplementedError,
  CacheUnavailableError,
  CacheValueError,
  InvalidCacheBackendError,
  InvalidCacheKeyError,
} from './errors';
export { cacheFragment } from './fragments/cache-fragment';
export { type CacheViewOptions, cacheView, type ViewResponse } from './fragments/cache-view';
export { makeTemplateFragmentKey } from './fragments/fragment-key';
export type { FragmentOptions } from './fragments/fragment-request';
export type { FragmentOutcomeMessage } from './fragments/outcomes';
export { cacheControl } from './headers/cache-control';
export type {
  CacheControlDirectives,
  DirectiveFlag,
  DirectiveValue,
} from './headers/cache-control-options';
export {
  condition,
  type EtagFunction,
  etag,
  type LastModifiedFunction,
  lastModified,
} from './headers/condition';
export { conditionalGet } from './headers/conditional-get';
export type { Middleware, OptionlessMiddleware } from './headers/middleware';
export { neverCache } from './headers/never-cache';
export { getMaxAge, patchCacheControl } from './headers/patch-cache-control';
export { addNeverCacheHeaders } from './headers/patch-freshness';
export { hasVaryHeader, patchVaryHeaders } from './headers/patch-vary';
export { varyOnCookie, varyOnHeaders } from './headers/vary-on-headers';
export type { CacheOutcome } from './http/cache-status';
export {
  type AnyMiddleware,
  type App,
  type CacheAppOptions,
  cacheApp,
  type Http2App,
} from './page-cache/cache-app';
export { type CachePageOptions, cachePage } from './page-cache/cache-page';
export { cacheTags } from './page-cache/cache-tags';
export { fetchFromCache } from './page-cache/fetch-from-cache';
export { invalidate } from './page-cache/invalidate';
export { getCacheKey, learnCacheKey, type PageKeyOptions } from './page-cache/learn-cache-key';
export { originUnreachable } from './page-cache/origin-unreachable';
export type { PageOutcomeMessage } from './page-cache/outcomes';
export {
  configurePageCache,
  type PageCacheFailure,
  type PageCacheOptions,
  type PageKeyRules,
  type RequestTest,
  type ResponseTest,
  type StateRules,
} from './page-cache/page-settings';
export { patchResponseHeaders } from './page-cache/patch-response-headers';
export type { PreferenceRules } from './page-cache/preference-rules';
export type { QueryRules } from './page-cache/query-rules';
export { updateCache } from './page-cache/update-cache';
