import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './support/servers/free-port';

/** The documents whose TypeScript is run, and what to ask of those that serve. */
const DOCUMENTS: Record<string, readonly (readonly string[])[]> = {
  'README.md': [
    ['/', '/report'],
    ['/', '/about'],
    [],
    ['/product/7', '/also/7'],
    ['/news', '/catalogue', '/weather'],
  ],
  'docs/backends.md': [[]],
  'docs/command-line.md': [[]],
  'docs/custom-backends.md': [[]],
  'docs/fragments.md': [[], [], ['/'], ['/'], ['/'], ['/'], ['/'], ['/']],
  'docs/invalidation.md': [[], [], []],
  'docs/pages.md': [[], []],
};

const ROOT = join(__dirname, '..');
const TSX = ['--import', 'tsx'];

let folder: string;

beforeAll(() => {
  // Inside the repository, so that `cachewright` and `express` are found as in a user's project.
  folder = mkdtempSync(join(ROOT, '.docs-check-'));
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../tsconfig.json', include: ['*.mts', '../src/**/*.d.ts'] }),
  );
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(Object.entries(DOCUMENTS))('%s', (document, paths) => {
  const blocks = codeBlocks(readFileSync(join(ROOT, document), 'utf8'));

  test('has the programs that are asked for below', () => {
    expect(blocks).toHaveLength(paths.length);
  });

  test.each(blocks.map((code, i) => [i, code] as const))(
    'program %i runs as printed',
    async (i, code) => {
      const file = join(folder, `${document.replace(/\W/g, '-')}-${i}.mts`);
      writeFileSync(file, code);
      const asked = paths[i]!;
      if (asked.length === 0) {
        const output = execFileSync(process.execPath, [...TSX, file], {
          cwd: ROOT,
          encoding: 'utf8',
        });
        const promised = [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(
          ([, text]) => text,
        );
        expect(output.trim().split('\n')).toEqual(promised);
        return;
      }
      const port = await freePort();
      const server = spawn(process.execPath, [...TSX, file], {
        cwd: ROOT,
        env: { ...process.env, PORT: String(port) },
        stdio: 'inherit',
      });
      try {
        await listening(server, port);
        for (const path of asked) {
          const url = `http://127.0.0.1:${port}${path}`;
          const [first, second] = [await fetch(url), await fetch(url)];
          expect(first.status).toBe(200);
          expect(await second.text()).toBe(await first.text());
          const isCached = code.includes('fetchFromCache()');
          expect([path, second.headers.has('age')]).toEqual([path, isCached]);
        }
      } finally {
        const exited = new Promise((resolve) => server.once('exit', resolve));
        server.kill();
        await exited;
      }
    },
  );
});

test('the programs of the documents have right types', () => {
  for (const document of Object.keys(DOCUMENTS)) {
    const blocks = codeBlocks(readFileSync(join(ROOT, document), 'utf8'));
    for (const [i, code] of blocks.entries()) {
      writeFileSync(join(folder, `types-${document.replace(/\W/g, '-')}-${i}.mts`), code);
    }
  }
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { stdout } = spawnSync(process.execPath, [tsc, '--noEmit', '-p', folder], {
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
});

test('the commands of the README are scripts of the package', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const commands = [...readme.matchAll(/^```sh\n(.*?)```/gms)].map(([, text]) => text!.trim());
  expect(commands).toEqual(['npm ci && npm run demo', 'npm ci && npm test']);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['demo', 'test']));
});

function codeBlocks(markdown: string): string[] {
  return [...markdown.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code!);
}

async function listening(server: ChildProcess, port: number): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    if (server.exitCode !== null) break;
    try {
      await fetch(`http://127.0.0.1:${port}/`);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error('The program did not begin to listen.');
}
