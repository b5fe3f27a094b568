import type { BaseCache } from '../cache/base-cache';
import { type PageCacheOptions, type PageSettings, settingsFor } from './page-settings';

type CurrentSettings = () => Pick<PageSettings, 'cache' | 'targetRule'>;

/** Page caches that name an alias or nothing, by what matters to a purge. */
const namedSpaces = new Map<string, CurrentSettings>();

/** Those that were given a backend. When the app lets go of it, it serves no pages any more. */
const spacesOfBackends = new WeakMap<BaseCache, Map<string, CurrentSettings>>();
const backends = new Set<WeakRef<BaseCache>>();
const releases = new FinalizationRegistry<WeakRef<BaseCache>>((ref) => backends.delete(ref));

/**
 * Makes a page cache known, so that its pages are invalidated too. Page caches that a purge need not
 * tell apart are kept as one, so that an app may make one for each request.
 */
export function registerSpace({ cache, key }: PageCacheOptions): void {
  const spaces = typeof cache === 'object' && cache !== null ? spacesOf(cache) : namedSpaces;
  const alias = typeof cache === 'string' ? cache : cache === null;
  const name = JSON.stringify([alias, key && [key.query]]);
  if (spaces.has(name)) return;
  const options = { ...(cache !== undefined && { cache }), ...(key && { key: queryOf(key) }) };
  spaces.set(name, settingsFor(options));
}

function queryOf({ query }: NonNullable<PageCacheOptions['key']>): PageCacheOptions['key'] {
  return query === undefined ? {} : { query };
}

function spacesOf(cache: BaseCache): Map<string, CurrentSettings> {
  let spaces = spacesOfBackends.get(cache);
  if (spaces === undefined) {
    const ref = new WeakRef(cache);
    backends.add(ref);
    releases.register(cache, ref);
    spaces = new Map();
    spacesOfBackends.set(cache, spaces);
  }
  return spaces;
}

/** The settings of all page caches of this process, as far as a purge needs them. */
export function* knownSpaces(): Iterable<ReturnType<CurrentSettings>> {
  for (const currentSettings of namedSpaces.values()) yield currentSettings();
  for (const ref of backends) {
    const cache = ref.deref();
    if (cache === undefined) continue;
    for (const currentSettings of spacesOfBackends.get(cache)!.values()) yield currentSettings();
  }
}
