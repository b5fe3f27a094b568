import { DummyCache } from '../backends/dummy';
import { LocMemCache } from '../backends/loc-mem';
import { BaseCache } from '../cache/base-cache';
import { nameOfPrefix, nameOfUrl, tagName } from '../cache/tag-names';
import type { PurgeMode } from '../cache/tags';
import { caches } from '../caches';
import { CommandError, reasonOf, UsageError } from './errors';

/** What `purge` is asked for. */
export interface PurgeCommandOptions {
  readonly tags?: readonly string[] | undefined;
  /** Absolute. */
  readonly urls?: readonly string[] | undefined;
  readonly prefixes?: readonly string[] | undefined;
  /** Of the caches to purge. */
  readonly aliases: readonly string[];
  readonly mode: PurgeMode;
}

/**
 * Purges pages by tags, URLs and prefixes, in one cache after another. One that fails does
 * not keep the others from it.
 *
 * @param print - Takes a line of output.
 * @throws UsageError if it was asked for nothing, or for what cannot be, before anything is purged;
 *   CommandError if a cache did not do all of it.
 */
export async function purge(
  { tags = [], urls = [], prefixes = [], aliases, mode }: PurgeCommandOptions,
  print: (line: string) => void,
): Promise<void> {
  if (tags.length + urls.length + prefixes.length === 0) {
    throw new UsageError('Nothing to purge. Name it with --tag, --url or --prefix.');
  }
  try {
    for (const tag of tags) tagName(tag);
    for (const url of urls) nameOfUrl(url);
    for (const prefix of prefixes) nameOfPrefix(prefix);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
  const asked = [...new Set(aliases)].map((alias) => [alias, sharedCache(alias)] as const);
  const failures: string[] = [];
  for (const [alias, cache] of asked) {
    try {
      if (tags.length > 0) await cache.invalidateTags(tags, { mode });
      for (const url of urls) await cache.invalidateUrl(url, { mode });
      for (const prefix of prefixes) await cache.invalidatePrefix(prefix, { mode });
    } catch (error) {
      failures.push(
        `Cache "${alias}" could not be purged; perhaps a part of it was.\nThe error was: ${reasonOf(error)}`,
      );
      continue;
    }
    const softly = mode === 'soft' ? ' softly' : '';
    const say = (kind: string) => (what: string) =>
      print(`Cache "${alias}": purged${softly} the ${kind} ${JSON.stringify(what)}.`);
    tags.forEach(say('tag'));
    urls.forEach(say('URL'));
    prefixes.forEach(say('prefix'));
  }
  if (failures.length > 0) throw new CommandError(failures.join('\n'));
}

/** The backend of an alias, if it is one whose pages other processes see. */
function sharedCache(alias: string): BaseCache {
  const cache = configuredCache(alias);
  if (cache instanceof LocMemCache) {
    throw new UsageError(
      `Cache "${alias}" is local memory, and that of this command has nobody's pages. Purge it in the process of the site, with invalidateTags().`,
    );
  }
  if (cache instanceof DummyCache) {
    throw new UsageError(`Cache "${alias}" is a dummy, which keeps no pages.`);
  }
  return cache;
}

function configuredCache(alias: string): BaseCache {
  try {
    const cache: unknown = caches[alias];
    if (cache instanceof BaseCache) return cache;
  } catch (error) {
    // One that is configured, but wrongly, was well named.
    if (alias in caches) throw error;
    throw new UsageError((error as Error).message, { cause: error });
  }
  throw new UsageError(`${JSON.stringify(alias)} cannot be the alias of a cache.`);
}
