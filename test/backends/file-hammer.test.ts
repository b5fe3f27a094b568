import { fork } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '../support/file-hammer-child';
import { tempDirectories } from '../support/temp-directory';

const makeDirectory = tempDirectories();

const CHILD = join(__dirname, '../support/file-hammer-child.ts');
const MILLISECONDS = 20_000;

/** Resolves with the child's report, once it has ended by itself. */
function hammer(directory: string, seed: number): Promise<Report> {
  return new Promise((resolve, reject) => {
    const child = fork(CHILD, [directory, String(MILLISECONDS), String(seed)], {
      execArgv: ['--import', 'tsx'],
    });
    let report: Report | undefined;
    child.on('message', (message) => {
      report = message as Report;
      child.disconnect();
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0 && report !== undefined) resolve(report);
      else reject(new Error(`The child ended with ${code}.`));
    });
  });
}

test('two processes that hammer one directory read nothing torn, and meet no error', async () => {
  const directory = makeDirectory();
  const reports = await Promise.all([hammer(directory, 1), hammer(directory, 2)]);
  for (const { calls, hits, misses, torn, errors } of reports) {
    expect(errors).toEqual([]);
    expect(torn).toEqual([]);
    expect(calls).toBeGreaterThan(1000);
    expect(hits).toBeGreaterThan(calls / 100);
    expect(misses).toBeGreaterThan(calls / 100);
  }
  // Whatever was put aside was put back, or removed.
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
  expect(files.filter((name) => !/^[0-9a-f]{32}\.cachewright$/.test(name))).toEqual([]);
});
