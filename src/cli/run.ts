import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { caches } from '../caches';
import { InvalidCacheBackendError } from '../errors';
import { clear } from './clear';
import { applyConfigFile } from './config-file';
import { createCacheTable } from './createcachetable';
import { CommandError, UsageError } from './errors';
import { Progress } from './progress';
import { purge } from './purge';

/** What the command has of its process. */
export interface CommandLine {
  /** What follows the command's name. */
  readonly args: readonly string[];
  /** The working directory. */
  readonly directory: string;
  /** Takes text for the standard output, line breaks included. */
  readonly out: (text: string) => void;
  /** The same for errors. */
  readonly err: (text: string) => void;
  /** Takes what shows progress on a terminal; `undefined` if there is none. */
  readonly terminal?: ((text: string) => void) | undefined;
}

/** Runs the command `cachewright`. @returns the exit code: `0`; `1` if it failed; `2` if misused */
export async function run({ args, directory, out, err, terminal }: CommandLine): Promise<number> {
  const program = new Command('cachewright')
    .description('Looks after the caches of a site that are configured in cachewright.config.*.')
    .version((require('../../package.json') as { version: string }).version)
    .exitOverride()
    .configureOutput({ writeOut: out, writeErr: err });
  program
    .command('createcachetable')
    .description('Makes the tables of the caches that are kept in databases.')
    .argument('[tables...]', 'names of tables, instead of those of the configured caches')
    .option('--database <name>', 'the database to make them in (default: "default")')
    .option('--dry-run', 'print the statements, and run none', false)
    .option('--verbosity <number>', '0: silent, 1: tables that exist, 2: all', toVerbosity, 1)
    .option(...CONFIG_OPTION)
    .action(async (tables: string[], options: CreateCacheTableFlags) => {
      await applyConfigFile(options.config, directory);
      const { database, dryRun, verbosity } = options;
      await createCacheTable({ tables, database, dryRun, verbosity }, (line) => out(`${line}\n`));
    });
  program
    .command('clear')
    .description('Empties caches that the processes of the site share.')
    .argument('<aliases...>', 'the caches')
    .option(...CONFIG_OPTION)
    .action(async (aliases: string[], { config }: ClearFlags) => {
      await applyConfigFile(config, directory);
      await clear(aliases, (line) => out(`${line}\n`), new Progress(terminal));
    });
  program
    .command('purge')
    .description(
      'Purges pages that the site keeps, in all of its processes. Options may be repeated.',
    )
    .option('--tag <tag>', 'pages that have this tag', append)
    .option('--url <url>', 'the pages of this absolute URL', append)
    .option('--prefix <path>', 'pages below this path, which ends in a slash; "/": all', append)
    .option('--cache <alias>', 'the cache that keeps them (default: "default")', append)
    .option('--soft', 'lets visitors have them while they are made anew')
    .option(...CONFIG_OPTION)
    .action(async ({ tag, url, prefix, cache, soft, config }: PurgeFlags) => {
      await applyConfigFile(config, directory);
      const aliases = cache ?? ['default'];
      const mode = soft ? 'soft' : 'hard';
      await purge({ tags: tag, urls: url, prefixes: prefix, aliases, mode }, (line) =>
        out(`${line}\n`),
      );
    });
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has said what is wrong; its code is 0 after --help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
    const isExplained = error instanceof CommandError || error instanceof InvalidCacheBackendError;
    err(`${isExplained ? error.message : (error as Error).stack}\n`);
    return error instanceof CommandError ? error.exitCode : 1;
  } finally {
    await caches.closeAll();
  }
}

const USAGE_EXIT_CODE = new UsageError().exitCode;

const CONFIG_OPTION = [
  '--config <file>',
  'the configuration (default: cachewright.config.{js,mjs,cjs,ts})',
] as const;

interface CreateCacheTableFlags {
  readonly database?: string;
  readonly dryRun: boolean;
  readonly verbosity: number;
  readonly config?: string;
}

interface ClearFlags {
  readonly config?: string;
}

interface PurgeFlags {
  readonly tag?: readonly string[];
  readonly url?: readonly string[];
  readonly prefix?: readonly string[];
  readonly cache?: readonly string[];
  readonly soft?: boolean;
  readonly config?: string;
}

/** For an option that may be given several times. */
function append(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function toVerbosity(text: string): number {
  if (/^[0-3]$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Give 0, 1, 2 or 3.');
}
