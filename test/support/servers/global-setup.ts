import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installMissingPrograms } from './install-programs';
import { endDeadRuns, type RunOwner } from './leftovers';
import { startOf } from './processes';
import { RUN_DIRECTORY_PREFIX, RUN_DIRECTORY_VARIABLE, RUN_FOLDERS } from './run-directory';

/** Makes ready for servers, and starts none: each test file starts those it needs. */
export default async function globalSetup(): Promise<void> {
  installMissingPrograms();
  await endDeadRuns();
  const directory = mkdtempSync(join(tmpdir(), RUN_DIRECTORY_PREFIX));
  // PostgreSQL does not run as root, and has to reach its folder as the user it runs as.
  chmodSync(directory, 0o755);
  for (const folder of RUN_FOLDERS) mkdirSync(join(directory, folder));
  const owner: RunOwner = { pid: process.pid, start: startOf(process.pid) ?? '' };
  writeFileSync(join(directory, 'owner.json'), JSON.stringify(owner));
  process.env[RUN_DIRECTORY_VARIABLE] = directory;
}
