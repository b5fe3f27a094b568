import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Less than Jest's patience with a test, so that its output is told. */
export const CHILD_PATIENCE_MS = 150_000;

const ROOT = join(__dirname, '../..');

/** What a process of its own printed. */
export interface Printed {
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs JavaScript in a Node process of its own, from the root of the repository; `require` takes
 * TypeScript, and `cachewright` stands for the package. Rejects if it fails, or does not end by
 * itself.
 */
export async function runScript(
  script: string,
  nodeOptions: readonly string[] = [],
): Promise<Printed> {
  const prelude = "const cachewright = require('./src/index.ts');\n";
  return promisify(execFile)(
    process.execPath,
    [...nodeOptions, '--import', 'tsx', '--eval', prelude + script],
    { cwd: ROOT, timeout: CHILD_PATIENCE_MS },
  );
}
