import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { configureDatabases } from '../backends/database/configure-databases';
import type { DatabaseRouter } from '../backends/database/routers';
import type { DatabaseSource } from '../backends/database/sources';
import { type CacheSettings, configureCaches } from '../caches';
import { CommandError, UsageError } from './errors';

/** What `cachewright.config.*` exports, by these names or all in its default export. */
export interface ConfigFile {
  /** As for {@link configureCaches}. */
  readonly caches?: Readonly<Record<string, CacheSettings>>;
  /** As for {@link configureDatabases}. */
  readonly databases?: Readonly<Record<string, DatabaseSource>>;
  /** As for {@link configureDatabases}. */
  readonly routers?: readonly DatabaseRouter[];
}

type Module<Default> = ConfigFile & { readonly default?: Default };

const NAMES = ['js', 'mjs', 'cjs', 'ts'].map((extension) => `cachewright.config.${extension}`);

/**
 * Reads the configuration of the site. A file that exports nothing is to call `configureCaches()`
 * and `configureDatabases()` itself.
 *
 * @param file - `undefined`: `cachewright.config.*` of `directory`.
 * @throws UsageError if there is none; CommandError if it fails.
 */
export async function applyConfigFile(file: string | undefined, directory: string): Promise<void> {
  const path = findFile(file, directory);
  let exported: ConfigFile;
  try {
    const loaded = (await load(path)) as Module<Module<ConfigFile>>;
    // What `import()` makes of CommonJS has its exports in `default` as well; among them is another
    // `default` if it was compiled from an ES module.
    exported = { ...loaded.default?.default, ...loaded.default, ...loaded };
    const { caches, databases, routers } = exported;
    if (databases !== undefined) configureDatabases(databases, { routers });
    if (caches !== undefined) configureCaches(caches);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${path} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

function findFile(file: string | undefined, directory: string): string {
  const candidates = (file === undefined ? NAMES : [file]).map((name) => resolve(directory, name));
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new UsageError(
    file === undefined
      ? `There is no cachewright.config.js, .mjs, .cjs or .ts in ${directory}. Make one that exports caches and databases, or name a file with --config.`
      : `There is no file ${candidates[0]}.`,
  );
}

async function load(path: string): Promise<unknown> {
  if (/\.cjs$/.test(path)) return createRequire(path)(path);
  if (/\.[cm]?ts$/.test(path) && !readsTypeScript()) return loadTypeScript(path);
  return import(pathToFileURL(path).href);
}

function readsTypeScript(): boolean {
  return Boolean((process.features as { typescript?: string | false }).typescript);
}

/** By what the site has installed, as a Node before 22.18 reads no TypeScript. */
async function loadTypeScript(path: string): Promise<unknown> {
  const require = createRequire(path);
  const loaders: [string, () => unknown][] = [
    ['tsx/cjs/api', () => require('tsx/cjs/api').require(path, path)],
    ['jiti', () => require('jiti').createJiti(path).import(path)],
  ];
  for (const [name, run] of loaders) if (isInstalled(require, name)) return run();
  throw new CommandError(
    `Node ${process.versions.node} reads no TypeScript, so ${path} needs the package tsx or jiti. Install one (npm install --save-dev tsx), use Node 22.18 or later, or write the file in JavaScript.`,
  );
}

function isInstalled(require: NodeJS.Require, name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}
