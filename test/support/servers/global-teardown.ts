import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { endRun } from './leftovers';
import { RUN_DIRECTORY_VARIABLE, runFolder } from './run-directory';

/** Ends the shared servers and any that were forgotten, and says which suites were skipped. */
export default async function globalTeardown(): Promise<void> {
  const skipped = readdirSync(runFolder('skipped')).map((file) =>
    readFileSync(join(runFolder('skipped'), file), 'utf8'),
  );
  // Below Jest's summary, and on its stream: the output of a run with --json is for programs.
  for (const line of skipped.sort()) process.stderr.write(`Suite skipped: ${line}\n`);
  const forgotten = await endRun(process.env[RUN_DIRECTORY_VARIABLE]!);
  for (const { name, pid } of forgotten) {
    process.stderr.write(`Stopped a server its test file had left running: ${name} (${pid})\n`);
  }
}
