import { describe } from './arguments/describe';
import { checkOptionNames, isPlain, type OtherNames, remedyFor } from './arguments/option-names';
import type { DatabaseOptions } from './backends/database/cache';
import type { FileBasedOptions } from './backends/file-based';
import type { LocMemOptions } from './backends/loc-mem';
import type { MemcachedOptions } from './backends/memcached/cache';
import { OWN_REDIS_OPTIONS } from './backends/redis/options';
import type { ServerOptions } from './backends/server-cache';
import type { TieredOptions } from './backends/tiered/options';
import type { CommonCacheSettings, CullingOptions } from './cache/base-cache';

/** What all aliases have, whichever their backend. */
type Settings = CommonCacheSettings & Record<'backend' | 'location' | 'options', unknown>;

const SETTINGS = namesOf<Settings>({
  backend: true,
  location: true,
  timeout: true,
  keyPrefix: true,
  version: true,
  keyFunction: true,
  options: true,
});

const CULLING: Record<keyof CullingOptions, true> = { maxEntries: true, cullFrequency: true };

const SERVER: Record<keyof ServerOptions, true> = {
  readTimeoutMs: true,
  writeTimeoutMs: true,
  maxPending: true,
  onError: true,
  onFailure: true,
  serializer: true,
};

/** The options of the backends that take those of these names and no others. */
const STRICT_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  locmem: namesOf<LocMemOptions>({ ...CULLING, maxBytes: true, serializer: true }),
  file: namesOf<FileBasedOptions>({ ...CULLING, serializer: true }),
  database: namesOf<DatabaseOptions>({ ...CULLING, ...SERVER, database: true }),
  tiered: namesOf<TieredOptions>({ maxBytes: true, maxAge: true, trustMs: true }),
};

/** Those of backends that may hand others to their client, which has names of its own. */
const CLIENT_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  redis: OWN_REDIS_OPTIONS,
  memcached: namesOf<MemcachedOptions & CullingOptions>({
    ...CULLING,
    ...SERVER,
    maxPoolSize: true,
    ignoreExc: true,
    noDelay: true,
    keepAlive: true,
    connectTimeoutMs: true,
    username: true,
    password: true,
    maxItemBytes: true,
  }),
};

/** Options of a backend that somebody may put beside `backend`. */
const OPTION_NAMES = new Set(
  [...Object.values(STRICT_OPTIONS), ...Object.values(CLIENT_OPTIONS)].flat(),
);

/** Names that other packages have for a setting of an alias. */
const OTHER_SETTINGS: OtherNames = {
  ttl: 'timeout',
  maxage: 'timeout',
  expires: 'timeout',
  seconds: 'timeout',
  prefix: 'keyPrefix',
  namespace: 'keyPrefix',
  engine: 'backend',
  driver: 'backend',
  store: 'backend',
  url: 'location',
  uri: 'location',
  host: 'location',
  servers: 'location',
  path: 'location',
  directory: 'location',
  client: 'location',
};

/** Names that other packages have for an option of a backend. */
const OTHER_OPTIONS: OtherNames = {
  max: 'maxEntries',
  maxsize: 'maxEntries',
  maxkeys: 'maxEntries',
};

/**
 * Checks the settings of an alias as they are configured: whether they are settings at all, and
 * whether somebody reads each of them.
 *
 * @param backend - The name of the built-in backend; `undefined`: it is a class of the site's own.
 * @throws TypeError that names the remedy
 */
export function checkCacheSettings(
  alias: string,
  settings: unknown,
  backend: string | undefined,
): void {
  const where = `Cache alias ${JSON.stringify(alias)}`;
  checkIsSettings(where, settings);
  if (backend === undefined) {
    // Such a class may have settings of its own. None is called KEY_PREFIX.
    for (const name of Object.keys(settings))
      if (isOtherSpelling(name, SETTINGS)) refuse(where, name);
    return;
  }
  for (const name of Object.keys(settings)) if (!SETTINGS.includes(name)) refuse(where, name);
  const { options } = settings;
  if (options === undefined) return;
  const within = `${where}, in options,`;
  if (!isPlain(options)) {
    throw new TypeError(
      `${within} got ${describe(options)}. Give an object: { maxEntries: 1000 }.`,
    );
  }
  const strict = STRICT_OPTIONS[backend];
  if (strict !== undefined) checkOptionNames(within, options, strict, OTHER_OPTIONS);
  const known = CLIENT_OPTIONS[backend] ?? [];
  for (const name of Object.keys(options)) {
    if (isOtherSpelling(name, known)) checkOptionNames(within, { [name]: 0 }, known);
  }
}

function checkIsSettings(
  where: string,
  settings: unknown,
): asserts settings is Readonly<Record<string, unknown>> {
  if (isPlain(settings)) return;
  const backend = typeof settings === 'string' ? /^(redis)s?:/.exec(settings)?.[1] : undefined;
  const example =
    backend === undefined
      ? "{ backend: 'locmem', timeout: 300 }"
      : `{ backend: '${backend}', location: ${describe(settings)} }`;
  throw new TypeError(`${where} is ${describe(settings)}. Give an object of settings: ${example}.`);
}

function refuse(where: string, name: string): never {
  const remedy = OPTION_NAMES.has(name)
    ? `Did you mean options: { ${name} }?`
    : remedyFor(name, SETTINGS, OTHER_SETTINGS);
  throw new TypeError(`${where} got the unknown setting ${describe(name)}. ${remedy}`);
}

/** Whether a name is that of an option in Django's spelling: `MAX_ENTRIES`, `key_prefix`. */
function isOtherSpelling(name: string, known: readonly string[]): boolean {
  const letters = name.replaceAll('_', '').toLowerCase();
  return !known.includes(name) && known.some((option) => option.toLowerCase() === letters);
}

function namesOf<Options>(options: Record<keyof Options, true>): readonly string[] {
  return Object.keys(options);
}
