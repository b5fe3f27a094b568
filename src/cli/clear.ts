import { CommandError, reasonOf } from './errors';
import type { Progress } from './progress';
import { sharedCache } from './shared-cache';

/** What to do about local memory instead. */
const ADVICE = 'Clear it in the process of the site, with clear().';

/**
 * Empties caches, one after another, in as many steps as it takes. One that fails does not keep the
 * others from it.
 *
 * @param print - Takes a line of output.
 * @throws UsageError if an alias is none whose entries others see, before anything is removed;
 *   CommandError if a cache could not be emptied.
 */
export async function clear(
  aliases: readonly string[],
  print: (line: string) => void,
  progress: Progress,
): Promise<void> {
  const asked = [...new Set(aliases)].map((alias) => [alias, sharedCache(alias, ADVICE)] as const);
  const failures: string[] = [];
  for (const [alias, cache] of asked) {
    const name = `Cache "${alias}"`;
    // Not all know.
    let removed: number | undefined;
    try {
      await cache.clearInSteps((count) => {
        removed = (removed ?? 0) + count;
        progress.show(`${name}: ${spelt(removed)} removed …`);
      });
      progress.end();
      print(`${name}: cleared${removed === undefined ? '' : `, ${spelt(removed)} removed`}.`);
    } catch (error) {
      progress.end();
      const before = removed === undefined ? 'perhaps a part of it was' : `${spelt(removed)} went`;
      failures.push(`${name} could not be cleared; ${before}.\nThe error was: ${reasonOf(error)}`);
    }
  }
  if (failures.length > 0) throw new CommandError(failures.join('\n'));
}

function spelt(count: number): string {
  return `${count.toLocaleString('en')} ${count === 1 ? 'entry' : 'entries'}`;
}
