/**
 * Checks the package as its users get it: packs it, has publint and are-the-types-wrong look at
 * the tarball, and installs that into an empty ESM and an empty CommonJS project, where a small
 * program must run and its types be right, with no optional client present.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'cachewright-package-'));
const tsc = join(root, 'node_modules/typescript/bin/tsc');

/** Clients of optional backends: nobody who does not use them should have to install them. */
const OPTIONAL = ['ioredis', 'memjs', 'kysely', 'pg', 'mysql2', 'libsql', 'express'];

const BODY = `
const caches = configureCaches({ default: {}, files: { backend: 'file', location: process.cwd() + '/entries' } });
async function main(): Promise<void> {
  await caches.files.set('answer', { is: 42 });
  const found = await caches.files.get<{ is: number }>('answer');
  const sum: number = await cache.getOrSet('sum', () => 40 + 2, 60);
  const page = cachePage(60);
  // @ts-expect-error: no such alias
  void (() => caches.absent);
  if (found?.is !== sum || page.name !== 'cachePage') throw new Error('unexpected');
  if (typeof describeCacheContract !== 'function') throw new Error('no contract suite');
  console.log('ok', same === configureCaches);
}
main();
`;

const PROJECTS = {
  esm: {
    manifest: { type: 'module' },
    source: `import { createRequire } from 'node:module';
import { cache, cachePage, configureCaches } from 'cachewright';
import { describeCacheContract } from 'cachewright/testing';
const same: unknown = createRequire(import.meta.url)('cachewright').configureCaches;
${BODY}`,
  },
  cjs: {
    manifest: { type: 'commonjs' },
    source: `import cachewright = require('cachewright');
import testing = require('cachewright/testing');
const { cache, cachePage, configureCaches } = cachewright;
const { describeCacheContract } = testing;
const same: unknown = require('cachewright').configureCaches;
${BODY}`,
  },
};

try {
  run('npm', ['pack', '--silent', '--pack-destination', folder], root);
  const tarball = join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.tgz')),
  );
  // A subpath needs an exports map, which the oldest way of resolution does not read.
  run(bin('attw'), [tarball, '--profile', 'node16', '--quiet'], root);
  run(bin('publint'), ['run', tarball, '--strict'], root);
  for (const [name, project] of Object.entries(PROJECTS)) checkProject(name, project, tarball);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function checkProject(name, { manifest, source }, tarball) {
  const project = join(folder, name);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, ...manifest }));
  writeFileSync(join(project, 'main.ts'), source);
  run('npm', ['install', '--silent', '--prefer-offline', tarball], project);
  const installed = readdirSync(join(project, 'node_modules'));
  const unwanted = OPTIONAL.filter((client) => installed.includes(client));
  if (unwanted.length > 0) throw new Error(`${name}: installed ${unwanted.join(', ')} unasked`);
  const types = join(root, 'node_modules/@types');
  run(
    process.execPath,
    // The types of Node are the user's own to choose; all else must come with the package.
    [tsc, '--strict', '--module', 'nodenext', '--target', 'es2022', '--typeRoots', types].concat([
      '--types',
      'node',
      'main.ts',
    ]),
    project,
  );
  const output = run(process.execPath, ['main.js'], project);
  if (output.trim() !== 'ok true') throw new Error(`${name}: printed ${output}`);
  const help = run('npx', ['--no-install', 'cachewright', '--help'], project);
  if (!help.includes('createcachetable')) throw new Error(`${name}: no command in ${help}`);
  console.log(`package: installs, type-checks and runs in an empty ${name} project`);
}

function bin(name) {
  return join(root, 'node_modules/.bin', name);
}

function run(command, args, cwd) {
  return execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
