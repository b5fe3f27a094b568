import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The environment variable by which the workers of one Jest run know its directory. */
export const RUN_DIRECTORY_VARIABLE = 'CACHEWRIGHT_TEST_RUN';

/** Directories of runs in the system's temporary folder begin with this. */
export const RUN_DIRECTORY_PREFIX = 'cachewright-run-';

/** The folders of a run directory, made by the global setup. */
export const RUN_FOLDERS = ['pids', 'ports', 'shared', 'skipped', 'servers'] as const;

/**
 * The path of a folder of this Jest run.
 *
 * @throws Error outside Jest, where nothing would stop the servers.
 */
export function runFolder(folder: (typeof RUN_FOLDERS)[number]): string {
  const directory = process.env[RUN_DIRECTORY_VARIABLE];
  if (directory === undefined) {
    throw new Error('Servers are started by tests alone: Jest’s global setup has not run.');
  }
  return join(directory, folder);
}

let made = 0;

/** Makes an empty folder for one server, which other users may enter. */
export function makeServerFolder(name: string): string {
  made += 1;
  const folder = join(runFolder('servers'), `${name}-${process.pid}-${made}-${Date.now() % 1e6}`);
  mkdirSync(folder, { mode: 0o755 });
  return folder;
}

/** Whether this call, of all in this run, is the one that made the file. */
export function claim(path: string, content = ''): boolean {
  try {
    const file = openSync(path, 'wx');
    writeFileSync(file, content);
    closeSync(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
