/**
 * Compiles the package into dist/: CommonJS with its types, and for each entry a module that
 * re-exports it to `import`. One implementation behind both, so that a process in which some
 * packages `require` and others `import` has one set of caches and one of each class.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';

const require = createRequire(import.meta.url);
const root = new URL('../', import.meta.url);

process.chdir(root.pathname);
rmSync('dist', { recursive: true, force: true });
tsc('tsconfig.build.json');
wrap('index');
for (const file of readdirSync('dist/fragments/engines')) {
  if (/^\w+\.js$/.test(file)) wrap(`fragments/engines/${basename(file, '.js')}`);
}
chmodSync('dist/cli/main.js', 0o755);
// Compiled against the package as its users see it.
tsc('tsconfig.contract.json');
wrap('contract');

function tsc(project) {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], {
    stdio: 'inherit',
  });
}

function wrap(entry) {
  const names = Object.keys(require(new URL(`dist/${entry}.js`, root).pathname)).sort();
  const lines = names.map((name) => `export const ${name} = entry.${name};`);
  writeFileSync(
    `dist/${entry}.mjs`,
    `import entry from './${basename(entry)}.js';\n\n${lines.join('\n')}\n`,
  );
  writeFileSync(`dist/${entry}.d.mts`, `export * from './${basename(entry)}.js';\n`);
}
