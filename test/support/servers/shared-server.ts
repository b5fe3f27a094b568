import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { claim, runFolder } from './run-directory';

/** A database of its own on a server that all test files share. */
export interface SharedDatabase {
  /** With user and password: `postgres://` or `mysql://`. */
  readonly url: string;
  readonly name: string;
  /** Removes the database; the server stays. */
  drop(): Promise<void>;
}

/** What differs between database servers. */
export interface DatabaseCommands {
  create(serverUrl: string, name: string): Promise<void>;
  drop(serverUrl: string, name: string): Promise<void>;
}

const START_DEADLINE_MS = 120_000;

/**
 * Makes a database on the one server of this kind in this run. The first caller of all test files
 * starts it, the global teardown stops it.
 */
export async function sharedDatabase(
  kind: string,
  start: () => Promise<{ readonly url: string }>,
  commands: DatabaseCommands,
): Promise<SharedDatabase> {
  const serverUrl = await sharedUrl(kind, start);
  const name = `test_${randomBytes(6).toString('hex')}`;
  await commands.create(serverUrl, name);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, name, drop: () => commands.drop(serverUrl, name) };
}

async function sharedUrl(
  kind: string,
  start: () => Promise<{ readonly url: string }>,
): Promise<string> {
  const ready = join(runFolder('shared'), `${kind}.url`);
  const failed = join(runFolder('shared'), `${kind}.failed`);
  if (claim(join(runFolder('shared'), `${kind}.lock`))) {
    try {
      const { url } = await start();
      // Renamed, so that nobody reads half of it.
      writeFileSync(`${ready}.new`, url);
      renameSync(`${ready}.new`, ready);
    } catch (error) {
      writeFileSync(failed, '');
      throw error;
    }
  }
  const deadlineAt = Date.now() + START_DEADLINE_MS;
  while (!existsSync(ready)) {
    if (existsSync(failed) || Date.now() > deadlineAt) {
      throw new Error(`The test file that was to start the shared ${kind} has failed to.`);
    }
    await delay(20);
  }
  return readFileSync(ready, 'utf8');
}
