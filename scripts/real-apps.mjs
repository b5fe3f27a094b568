// Runs the tests of real apps against another build, and lists those that pass there.
//
//   npm run real-apps -- --against ../other/dist/index.js
//   npm run real-apps -- --against ../other/dist/index.js a-visitors
//   npm run real-apps -- --control
//
// A test that passes with a build that had the faults has nothing to say, unless its name has
// "(held before)". Exits with 1 if a test passes there that is not marked so. With --control, there
// is no cache at all: what is asserted of isolation must hold then, so exits with 1 if a test fails.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');
const CONTROL = join(ROOT, 'test/real-apps/control.ts');
const MARK = '(held before)';

/** Hangs of an old build are no reason to wait for all of them. */
const PATIENCE_MS = 20 * 60_000;

const { values, positionals } = parseArgs({
  options: { against: { type: 'string' }, control: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const build = values.control ? CONTROL : resolve(values.against ?? '');
if (!statSync(build, { throwIfNoEntry: false })?.isFile()) {
  console.error(
    `--against is ${JSON.stringify(values.against)}. Give the path of the dist/index.js of another build.`,
  );
  process.exit(2);
}

const tests = run(build, positionals);
const passed = tests.filter(({ status }) => status === 'passed');
console.log(`${passed.length} of ${tests.length} tests pass with ${build}.`);
if (values.control) {
  const failed = tests.filter(({ status }) => status !== 'passed');
  list('These fail without a cache, and should not:', failed);
  process.exitCode = failed.length > 0 ? 1 : 0;
} else {
  const isMarked = ({ title }) => title.includes(MARK);
  const unmarked = passed.filter((test) => !isMarked(test));
  list(`These pass, and are not marked as ${MARK}:`, unmarked);
  list(
    `These are marked as ${MARK}, and fail:`,
    tests.filter((test) => isMarked(test) && test.status !== 'passed'),
  );
  process.exitCode = unmarked.length > 0 ? 1 : 0;
}

function run(buildPath, patterns) {
  const folder = mkdtempSync(join(tmpdir(), 'cachewright-real-apps-'));
  const outputFile = join(folder, 'results.json');
  try {
    const files = patterns.length > 0 ? patterns : [''];
    const args = ['--json', `--outputFile=${outputFile}`, '--silent', '--testTimeout=20000'];
    const { error } = spawnSync(
      process.execPath,
      [
        join(ROOT, 'node_modules/jest/bin/jest.js'),
        ...args,
        ...files.map((file) => `test/real-apps/${file}`),
      ],
      {
        cwd: ROOT,
        env: { ...process.env, CACHEWRIGHT_BUILD: buildPath },
        stdio: ['ignore', 'ignore', 'ignore'],
        timeout: PATIENCE_MS,
      },
    );
    if (error !== undefined) throw error;
    const { testResults } = JSON.parse(readFileSync(outputFile, 'utf8'));
    return testResults.flatMap(({ name, message, assertionResults }) =>
      assertionResults.length === 0
        ? [{ title: `${name}: ${message}`, status: 'failed' }]
        : assertionResults.map(({ title, status }) => ({ title, status })),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function list(heading, found) {
  if (found.length === 0) return;
  console.log(`\n${heading}`);
  for (const { title } of found) console.log(`  ${title}`);
}
