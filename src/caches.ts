import { describe } from './arguments/describe';
import { nearestName } from './arguments/nearest-name';
import { DatabaseCache, type DatabaseOptions } from './backends/database/cache';
import { DummyCache } from './backends/dummy';
import { FileBasedCache, type FileBasedOptions } from './backends/file-based';
import { LocMemCache, type LocMemOptions } from './backends/loc-mem';
import { MemcachedCache, type MemcachedOptions } from './backends/memcached/cache';
import type { MemjsClient } from './backends/memcached/memjs';
import { RedisCache } from './backends/redis/cache';
import type { RedisLocation } from './backends/redis/location';
import type { RedisOptions } from './backends/redis/options';
import { TieredCache } from './backends/tiered/cache';
import type { TieredOptions } from './backends/tiered/options';
import type { BaseCache, CacheParams, CommonCacheSettings } from './cache/base-cache';
import { importByPath } from './cache/import-path';
import { checkCacheSettings } from './check-cache-settings';
import { InvalidCacheBackendError } from './errors';

/** A backend class: built in, or your own. */
export type CacheClass<C extends BaseCache = BaseCache> = new (
  location: never,
  params: CacheParams,
) => C;

/** Local memory: fast, bounded, of this process alone. */
export interface LocMemSettings extends CommonCacheSettings {
  readonly backend?: 'locmem';
  /** Name of the store; aliases that give the same name share it. @defaultValue '' */
  readonly location?: string;
  readonly options?: LocMemOptions;
}

/** Files in a directory, which several processes may share. */
export interface FileSettings extends CommonCacheSettings {
  readonly backend: 'file';
  /** The directory; it is made, with mode 0700, when first written to. */
  readonly location: string | URL;
  readonly options?: FileBasedOptions;
}

/** Memcached servers, over the package `memjs`. */
export interface MemcachedSettings extends CommonCacheSettings {
  readonly backend: 'memcached';
  /**
   * Servers: `host`, `host:port`, `[::1]:port`, `user:password@host`, `unix:/path` or `/path`;
   * several split by `,` or `;`, or in an array. Or a ready-made client of memjs.
   */
  readonly location: string | readonly string[] | MemjsClient;
  readonly options?: MemcachedOptions;
}

/** A table of PostgreSQL, MySQL, MariaDB or SQLite, which any number of machines may share. */
export interface DatabaseSettings extends CommonCacheSettings {
  readonly backend: 'database';
  /** The table; `npx cachewright createcachetable` makes it. */
  readonly location: string;
  readonly options?: DatabaseOptions;
}

/** Redis: one server, a leader with replicas, a cluster, or whom Sentinels name. */
export interface RedisSettings extends CommonCacheSettings {
  readonly backend: 'redis';
  /** The leader, then its replicas; or nodes of a cluster. Left out for Sentinel. */
  readonly location?: RedisLocation;
  readonly options?: RedisOptions;
}

/** A local tier in the memory of each process, over a cache that they share. */
export interface TieredSettings {
  readonly backend: 'tiered';
  /**
   * The shared cache: the alias of one, its settings, or the cache itself. Key prefix, version, key
   * function and timeout are its own.
   */
  readonly location:
    | string
    | BaseCache
    | FileSettings
    | MemcachedSettings
    | DatabaseSettings
    | RedisSettings;
  readonly options?: TieredOptions;
}

/** Keeps nothing. */
export interface DummySettings extends CommonCacheSettings {
  readonly backend: 'dummy';
  readonly location?: unknown;
  readonly options?: object;
}

/** A class of your own, or the path of one: `./my-cache.js`, `some-package#SomeCache`. */
export interface CustomSettings extends CommonCacheSettings {
  readonly backend: CacheClass | (string & {});
  readonly location?: unknown;
  readonly options?: object;
}

/** Settings of one alias. */
export type CacheSettings =
  | LocMemSettings
  | FileSettings
  | MemcachedSettings
  | DatabaseSettings
  | RedisSettings
  | TieredSettings
  | DummySettings
  | CustomSettings;

/** The settings that go with a backend, of which a name may also pass for a module's path. */
type SettingsOf<S> = S extends { backend: infer Backend }
  ? Backend extends 'file'
    ? Named<S, FileSettings>
    : Backend extends 'memcached'
      ? Named<S, MemcachedSettings>
      : Backend extends 'database'
        ? Named<S, DatabaseSettings>
        : Backend extends 'redis'
          ? Named<S, RedisSettings>
          : Backend extends 'tiered'
            ? Named<S, TieredSettings>
            : Backend extends 'dummy'
              ? DummySettings
              : Backend extends 'locmem'
                ? Named<S, LocMemSettings>
                : CustomSettings
  : Named<S, LocMemSettings>;

/** What a built-in backend takes, with options of these names and no others. */
type Named<S, Settings> = [UnknownOptions<S, Settings>] extends [never]
  ? Settings
  : Settings & { readonly options?: Readonly<Partial<Record<UnknownOptions<S, Settings>, never>>> };

type UnknownOptions<S, Settings> = Exclude<OptionNames<S>, OptionNames<Settings>>;

type OptionNames<S> = S extends { options?: infer Options } ? keyof NonNullable<Options> : never;

/** Settings of several aliases, each held to what its backend takes. */
type CheckedSettings<S> = S & { readonly [Alias in keyof S]: SettingsOf<S[Alias]> };

/** The class that serves an alias with these settings. */
type BackendOf<S> = S extends { backend: CacheClass<infer C> }
  ? C
  : S extends { backend: 'file' }
    ? FileBasedCache
    : S extends { backend: 'memcached' }
      ? MemcachedCache
      : S extends { backend: 'database' }
        ? DatabaseCache
        : S extends { backend: 'redis' }
          ? RedisCache
          : S extends { backend: 'tiered' }
            ? TieredCache
            : S extends { backend: 'dummy' }
              ? DummyCache
              : S extends { backend: string }
                ? S extends { backend: 'locmem' }
                  ? LocMemCache
                  : BaseCache
                : LocMemCache;

/** Methods of a registry, beside its aliases. */
export interface CachesMethods {
  /**
   * Every alias's backend, made if need be.
   *
   * @param options - `initializedOnly`: only those that were used already.
   */
  all(options?: { readonly initializedOnly?: boolean }): BaseCache[];

  /**
   * Closes the backends that were used. Each opens again when used again.
   *
   * @throws what a backend threw as it closed, once all others have been closed too.
   */
  closeAll(): Promise<void>;
}

/**
 * Backends by alias: `caches.default`, `caches.pages`. Each is made when first asked for, and is
 * the same object from then on.
 */
export type Caches<S = Record<string, CacheSettings>> = CachesMethods & {
  readonly [Alias in keyof S]: BackendOf<S[Alias]>;
} & { readonly default: BaseCache };

const BUILT_IN = new Map<string, CacheClass>([
  ['locmem', LocMemCache],
  ['file', FileBasedCache],
  ['memcached', MemcachedCache],
  ['database', DatabaseCache],
  ['redis', RedisCache],
  ['tiered', TieredCache],
  ['dummy', DummyCache],
]);

/** What others call them. */
const OTHER_BACKENDS = new Map([
  ...['memory', 'mem', 'local', 'lru', 'map'].map((name) => [name, 'locmem'] as const),
  ...['fs', 'files', 'filesystem', 'filebased', 'disk'].map((name) => [name, 'file'] as const),
  ...['db', 'sql', 'postgres', 'postgresql', 'mysql', 'sqlite', 'mariadb'].map(
    (name) => [name, 'database'] as const,
  ),
  ...['ioredis', 'valkey'].map((name) => [name, 'redis'] as const),
  ...['memcache', 'memjs'].map((name) => [name, 'memcached'] as const),
  ...['none', 'null', 'noop'].map((name) => [name, 'dummy'] as const),
]);

/** Names that a registry answers itself, or that the language asks any object for. */
const RESERVED = new Set(['all', 'closeAll', 'then', 'toJSON', 'constructor', '__proto__']);

/** Registered through `configureCaches`; one local memory before that. */
class Registry implements CachesMethods {
  #settings: Readonly<Record<string, CacheSettings>> = { default: {} };
  #backends = new Map<string, BaseCache>();
  /** Aliases that are looked up for one another. */
  readonly #making = new Set<string>();

  constructor(settings?: Readonly<Record<string, CacheSettings>>) {
    if (settings !== undefined) this.configure(settings);
  }

  /** @throws InvalidCacheBackendError if the settings cannot be right. */
  configure(settings: Readonly<Record<string, CacheSettings>>): void {
    if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
      throw new InvalidCacheBackendError(
        `The settings are ${describe(settings)}. Give an object of aliases: { default: {} } is local memory.`,
      );
    }
    if (!Object.hasOwn(settings, 'default')) {
      throw new InvalidCacheBackendError(
        'The settings have no alias "default". Add one: { default: {} } is local memory.',
        'default',
      );
    }
    for (const alias of Object.keys(settings)) {
      if (RESERVED.has(alias)) {
        throw new InvalidCacheBackendError(
          `"${alias}" cannot be the alias of a cache. Choose another name.`,
          alias,
        );
      }
    }
    const copy = { ...settings };
    for (const [alias, own] of Object.entries(copy)) checkSettings(alias, own);
    this.#settings = copy;
    this.#backends = new Map();
  }

  backend(alias: string): BaseCache {
    let backend = this.#backends.get(alias);
    if (backend === undefined) {
      backend = this.#make(alias);
      this.#backends.set(alias, backend);
    }
    return backend;
  }

  has(alias: string): boolean {
    return Object.hasOwn(this.#settings, alias);
  }

  all({ initializedOnly = false } = {}): BaseCache[] {
    const aliases = initializedOnly ? this.#backends.keys() : Object.keys(this.#settings);
    return [...aliases].map((alias) => this.backend(alias));
  }

  async closeAll(): Promise<void> {
    const backends = this.all({ initializedOnly: true });
    const isTier = (backend: BaseCache) => backend instanceof TieredCache;
    // They take their leave of others through the cache below them.
    const turns = [backends.filter(isTier), backends.filter((backend) => !isTier(backend))];
    const errors: unknown[] = [];
    for (const turn of turns) {
      const outcomes = await Promise.allSettled(turn.map(async (backend) => backend.close()));
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') errors.push(outcome.reason);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, 'Several caches could not be closed.');
  }

  #make(alias: string): BaseCache {
    const settings = this.has(alias) ? this.#settings[alias] : undefined;
    if (settings === undefined) {
      const known = Object.keys(this.#settings).map((name) => `"${name}"`);
      throw new InvalidCacheBackendError(
        `Cache alias "${alias}" is not configured. Known aliases: ${known.join(', ')}. Add it to configureCaches().`,
        alias,
      );
    }
    if (this.#making.has(alias)) {
      throw new InvalidCacheBackendError(
        `Cache alias "${alias}" is a local tier over itself. Give the alias of a cache that processes share.`,
        alias,
      );
    }
    this.#making.add(alias);
    try {
      return this.#makeOf(settings, alias);
    } finally {
      this.#making.delete(alias);
    }
  }

  #makeOf(settings: CacheSettings, alias: string): BaseCache {
    const { backend = 'locmem', location = '', ...params } = settings;
    const CacheBackend = typeof backend === 'string' ? loadBackend(backend, alias) : backend;
    const isTier = CacheBackend === (TieredCache as CacheClass);
    const isOwn = isTier && isSettings(location);
    if (isTier && location === '') {
      throw new InvalidCacheBackendError(
        `Cache alias "${alias}" has no location. Give the alias of the cache that processes share, or its settings: { backend: 'tiered', location: 'shared' }.`,
        alias,
      );
    }
    const shared = isOwn
      ? this.#makeOf(location, alias)
      : isTier && typeof location === 'string'
        ? this.backend(location)
        : location;
    try {
      return isOwn
        ? new TieredCache(shared as BaseCache, params, true)
        : new CacheBackend(shared as never, params);
    } catch (error) {
      const { message } = error as Error;
      // What is no TypeError is no fault of the settings: a package is missing, for example.
      const fault = error instanceof TypeError ? ' has settings that make no sense.' : ':';
      throw new InvalidCacheBackendError(`Cache alias "${alias}"${fault} ${message}`, alias, {
        cause: error,
      });
    }
  }
}

/** Whether a location is the settings of a cache, which stand in the place of its alias. */
function isSettings(location: unknown): location is CacheSettings {
  return typeof location === 'object' && location !== null && 'backend' in location;
}

/** @throws InvalidCacheBackendError if the settings are none, or nobody reads one of them. */
function checkSettings(alias: string, settings: CacheSettings): void {
  const { backend = 'locmem', location } = Object(settings) as Partial<TieredSettings>;
  try {
    checkCacheSettings(alias, settings, builtInName(backend));
  } catch (error) {
    throw new InvalidCacheBackendError((error as Error).message, alias, { cause: error });
  }
  if (builtInName(backend) === 'tiered' && isSettings(location)) checkSettings(alias, location);
}

/** The name of a built-in backend, which may be given as its class. */
function builtInName(backend: unknown): string | undefined {
  for (const [name, builtIn] of BUILT_IN) if (backend === name || backend === builtIn) return name;
  return undefined;
}

function loadBackend(path: string, alias: string): CacheClass {
  const builtIn = BUILT_IN.get(path);
  if (builtIn !== undefined) return builtIn;
  let loaded: unknown;
  try {
    loaded = importByPath(path);
    if (typeof loaded !== 'function') throw new TypeError('It exports no class.');
  } catch (error) {
    const names = [...BUILT_IN.keys()];
    const meant = builtInMeantBy(path, names);
    const remedy = meant === undefined ? '' : `Did you mean '${meant}'? `;
    // Node adds the files that required it, which are ours.
    const [reason] = (error as Error).message.split('\n');
    throw new InvalidCacheBackendError(
      `Cache alias "${alias}": the backend "${path}" cannot be loaded. ${remedy}${reason} It must be one of ${names.join(', ')}, a class, or the path of a module.`,
      alias,
      { cause: error },
    );
  }
  return loaded as CacheClass;
}

/** The built-in backend that somebody means who gives a name of another package's, or Django's path. */
function builtInMeantBy(path: string, names: readonly string[]): string | undefined {
  const inDjango = /^django\.core\.cache\.backends\.([a-z]+)/.exec(path)?.[1];
  const name = (inDjango ?? path).toLowerCase();
  return OTHER_BACKENDS.get(name) ?? nearestName(name, names);
}

function asCaches<S>(registry: Registry): Caches<S> {
  const methods: CachesMethods = {
    all: (options) => registry.all(options),
    closeAll: () => registry.closeAll(),
  };
  return new Proxy(Object.freeze(methods), {
    get(_target, name) {
      if (name === 'all' || name === 'closeAll') return methods[name];
      if (typeof name === 'symbol' || RESERVED.has(name)) return undefined;
      return registry.backend(name);
    },
    has: (_target, name) =>
      Object.hasOwn(methods, name) || (typeof name === 'string' && registry.has(name)),
  }) as Caches<S>;
}

const registry = new Registry();

/**
 * The caches of the process, by alias. Without configuration there is one, `default`, on local
 * memory. For aliases the compiler knows, keep what {@link configureCaches} returns.
 *
 * @see Django's `caches`
 */
export const caches: Caches = asCaches(registry);

/** `caches[alias]`, for those who ask several times for each request. */
export function backendNamed(alias: string): BaseCache {
  return registry.backend(alias);
}

/**
 * Sets the caches of the process; those of an earlier call are forgotten, not closed.
 *
 * @returns `caches`, typed by these aliases and their backends.
 * @throws {@link InvalidCacheBackendError} If the alias `default` is missing, a name reserved, or a
 *   setting has a name that nobody reads. A backend that cannot be loaded throws when its alias is first used.
 * @see Django's `CACHES`
 * @example
 * const caches = configureCaches({
 *   default: { timeout: 300, options: { maxEntries: 10_000 } },
 *   pages: { backend: 'file', location: '/var/cache/site' },
 * });
 * await caches.pages.set('key', 'value');
 */
export function configureCaches<const S extends Readonly<Record<string, CacheSettings>>>(
  settings: CheckedSettings<S>,
): Caches<S> {
  registry.configure(settings);
  return caches as Caches<S>;
}

/** A set of caches apart from that of the process; see {@link configureCaches}. */
export function createCaches<const S extends Readonly<Record<string, CacheSettings>>>(
  settings: CheckedSettings<S>,
): Caches<S> {
  return asCaches(new Registry(settings));
}

/**
 * The backend of the alias `default`, whichever it is at the time: stays right when
 * {@link configureCaches} is called later.
 *
 * @see Django's `cache`
 */
export const cache: BaseCache = new Proxy({} as BaseCache, {
  get(_target, name) {
    const backend = registry.backend('default');
    const value = Reflect.get(backend, name, backend);
    return typeof value === 'function' ? value.bind(backend) : value;
  },
  set: (_target, name, value) => Reflect.set(registry.backend('default'), name, value),
  has: (_target, name) => Reflect.has(registry.backend('default'), name),
  getPrototypeOf: () => Reflect.getPrototypeOf(registry.backend('default')),
});
