import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Whether the packages of this folder are installed. */
export function hasPeers(): boolean {
  return existsSync(join(__dirname, 'node_modules/.package-lock.json'));
}

/**
 * A package of this folder, of which the project itself knows nothing.
 *
 * @typeParam T - What is used of it.
 */
export function loadPeer<T>(name: string): Promise<T> {
  return import(name);
}
