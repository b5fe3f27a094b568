import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** A Node to run servers with. */
export interface NodeProgram {
  readonly path: string;
  readonly version: string;
}

/**
 * Finds the Node to run servers with.
 *
 * @param wanted - A path, or a version (`24`, `24.1`, `24.1.0`), which is fetched from the registry's
 *   package `node`. `undefined`: the one that runs this.
 * @throws TypeError if it is neither.
 */
export function findNode(wanted: string | undefined): NodeProgram {
  if (wanted === undefined) return { path: process.execPath, version: process.version };
  const path = /^\d+(\.\d+){0,2}$/.test(wanted) ? fetchNode(wanted) : wanted;
  if (!existsSync(path)) {
    throw new TypeError(
      `--node is ${JSON.stringify(wanted)}. Give a version, or the path of a Node.`,
    );
  }
  return { path, version: output(path, '-p', 'process.version') };
}

function fetchNode(version: string): string {
  const show = ['node', '-p', 'process.execPath'];
  return output('npm', 'exec', '--yes', `--package=node@${version}`, '--', ...show);
}

function output(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8' }).trim();
}
