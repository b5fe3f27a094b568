import { statSync } from 'node:fs';
import { join } from 'node:path';

/** Whether the packages of this folder are installed, as its lock file has them now. */
export function hasPeers(): boolean {
  const changedAt = (file: string) =>
    statSync(join(__dirname, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return changedAt('node_modules/.package-lock.json') >= changedAt('package-lock.json');
}

/**
 * A package of this folder, of which the project itself knows nothing.
 *
 * @typeParam T - What is used of it.
 */
export function loadPeer<T>(name: string): Promise<T> {
  return import(name);
}
