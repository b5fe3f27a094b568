import { nameOfPrefix, nameOfUrl, tagName } from '../cache/tag-names';
import type { PurgeMode } from '../cache/tags';
import { CommandError, reasonOf, UsageError } from './errors';
import { sharedCache } from './shared-cache';

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

/** What to do about local memory instead. */
const ADVICE = 'Purge it in the process of the site, with invalidateTags().';

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
  const asked = [...new Set(aliases)].map((alias) => [alias, sharedCache(alias, ADVICE)] as const);
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
