import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CHILD_PATIENCE_MS } from '../support/child';
import { tempDirectories } from '../support/temp-directory';

const ROOT = join(__dirname, '../..');
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  bin: { cachewright: string };
  dependencies: Record<string, string>;
};
const makeDirectory = tempDirectories();
const readsTypeScript = Boolean((process.features as { typescript?: string | false }).typescript);
const hasOwnSqlite = isBuiltin('node:sqlite');
let built: string;

beforeAll(() => {
  built = join(makeDirectory(), 'dist');
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const project = join(ROOT, 'tsconfig.build.json');
  execFileSync(process.execPath, [tsc, '-p', project, '--outDir', built]);
});

/** The folder of a site that has installed the package, and these besides. */
function makeSite(...packages: string[]): string {
  const site = makeDirectory();
  const installed = join(site, 'node_modules/cachewright');
  mkdirSync(installed, { recursive: true });
  cpSync(built, join(installed, 'dist'), { recursive: true });
  copyFileSync(join(ROOT, 'package.json'), join(installed, 'package.json'));
  for (const name of [...Object.keys(manifest.dependencies), ...packages]) {
    symlinkSync(join(ROOT, 'node_modules', name), join(site, 'node_modules', name));
  }
  return site;
}

/** Runs the command in a process of its own. */
async function command(site: string, ...args: string[]) {
  const main = join(site, 'node_modules/cachewright', manifest.bin.cachewright);
  try {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [main, 'createcachetable', ...args],
      { cwd: site, timeout: CHILD_PATIENCE_MS },
    );
    return { exitCode: 0, stdout, stderr };
  } catch (error) {
    const { code: exitCode, stdout, stderr } = error as Record<string, unknown>;
    return { exitCode, stdout, stderr };
  }
}

const SETTINGS = `
  databases: { default: 'sqlite:default.db', other: 'sqlite:other.db' },
  caches: { default: { backend: 'database', location: 'my table' } },
  routers: [{ allowMigrate: (name) => name === 'other' }],
`;
const CREATED = { exitCode: 0, stdout: 'Cache table "my table" created.\n', stderr: '' };

test.each([
  ['cachewright.config.mjs', `export default {${SETTINGS}};`],
  ['cachewright.config.mjs', `export const { databases, caches, routers } = {${SETTINGS}};`],
  ['cachewright.config.cjs', `module.exports = {${SETTINGS}};`],
  ['cachewright.config.js', `module.exports = {${SETTINGS}};`],
  ['cachewright.config.js', `exports.__esModule = true; exports.default = {${SETTINGS}};`],
])('%s is read: %s (CLI-01, CLI-03, CLI-07)', async (file, text) => {
  const site = makeSite('kysely', 'libsql');
  writeFileSync(join(site, file), text);
  expect(await command(site, '--verbosity', '2')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  expect(await command(site, '--database', 'other', '--verbosity', '2')).toEqual(CREATED);
  expect(await command(site, '--database', 'other')).toEqual({
    exitCode: 0,
    stdout: 'Cache table "my table" already exists.\n',
    stderr: '',
  });
});

test('a file that configures the caches itself is read, and its open pool does not keep the command', async () => {
  const site = makeSite('kysely', 'libsql');
  writeFileSync(
    join(site, 'setup.cjs'),
    `const { configureCaches, configureDatabases } = require('cachewright');
    const Database = require('libsql');
    configureDatabases({ default: new Database('site.db') });
    configureCaches({ default: { backend: 'database', location: 'my table' } });
    setInterval(() => {}, 1000);`,
  );
  expect(await command(site, '--config', 'setup.cjs', '--verbosity', '2')).toEqual(CREATED);
});

const TYPED = `
  import type { ConfigFile } from 'cachewright';
  const config: ConfigFile = {
    databases: { default: 'sqlite:default.db' },
    caches: { default: { backend: 'database', location: 'my table' } },
  };
  export default config;
`;

test('cachewright.config.ts is read, by Node or by the tsx of the site', async () => {
  const site = makeSite('kysely', 'libsql', 'tsx');
  writeFileSync(join(site, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(site, 'cachewright.config.ts'), TYPED);
  expect(await command(site, '--verbosity', '2')).toEqual(CREATED);
});

if (!readsTypeScript) {
  test('cachewright.config.ts needs tsx or jiti on this Node, and the error says so', async () => {
    const site = makeSite('kysely', 'libsql');
    writeFileSync(join(site, 'cachewright.config.ts'), TYPED);
    const { exitCode, stderr } = await command(site);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/reads no TypeScript.*needs the package tsx or jiti.*npm install/);
  });
}

if (hasOwnSqlite) {
  test('a Node that has its own SQLite needs kysely alone', async () => {
    const site = makeSite('kysely');
    writeFileSync(join(site, 'cachewright.config.cjs'), `module.exports = {${SETTINGS}};`);
    const { exitCode, stdout } = await command(site, '--database', 'other', '--verbosity', '2');
    expect([exitCode, stdout]).toEqual([0, CREATED.stdout]);
  });
}

const MISSING: [string[], string][] = [[[], 'kysely']];
if (!hasOwnSqlite) MISSING.push([['kysely'], 'libsql']);

test.each(MISSING)(
  'with %j installed, the error names %s as what is missing',
  async (packages, missing) => {
    const site = makeSite(...packages);
    writeFileSync(join(site, 'cachewright.config.cjs'), `module.exports = {${SETTINGS}};`);
    const { exitCode, stderr } = await command(site, '--database', 'other');
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`npm install ${missing}`);
    expect(stderr).not.toMatch(/\n {4}at /);
  },
);

test('without a configuration the exit code is that of a usage error', async () => {
  expect(await command(makeSite())).toMatchObject({ exitCode: 2, stdout: '' });
});
