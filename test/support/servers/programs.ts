import { execFileSync } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs the tests run, and the Debian packages that bring them. */
const PACKAGES = {
  'redis-server': 'redis-server',
  openssl: 'openssl',
  memcached: 'memcached',
  saslpasswd2: 'sasl2-bin',
  initdb: 'postgresql',
  mariadbd: 'mariadb-server',
  'mariadb-install-db': 'mariadb-server',
  nginx: 'nginx-light',
  chromium: 'chromium',
} as const;

/** A program the tests run. */
export type Program = keyof typeof PACKAGES;

/** What a suite may need, and the programs that takes. */
const NEEDS = {
  redis: ['redis-server'],
  'redis-tls': ['redis-server', 'openssl'],
  memcached: ['memcached'],
  'memcached-sasl': ['memcached', 'saslpasswd2'],
  postgres: ['initdb'],
  mariadb: ['mariadbd', 'mariadb-install-db'],
  nginx: ['nginx'],
  browser: ['nginx', 'chromium'],
} as const satisfies Record<string, readonly Program[]>;

/** A kind of server a suite may need. */
export type ServerKind = keyof typeof NEEDS;

/** The path of a program, or `undefined` if this machine has none. */
export function findProgram(program: string): string | undefined {
  return directories()
    .map((directory) => join(directory, program))
    .find(isExecutable);
}

/**
 * The path of a program.
 *
 * @throws Error if this machine has none.
 */
export function programPath(program: Program): string {
  const path = findProgram(program);
  if (path === undefined) {
    throw new Error(
      `This machine has no ${program}. Install it (on Debian: ${PACKAGES[program]}), ` +
        'and put the suites that need it in describeWithServer().',
    );
  }
  return path;
}

/** Why a kind of server cannot be started on this machine; `undefined` if it can. */
export function whyUnavailable(kind: ServerKind): string | undefined {
  const missing = NEEDS[kind].filter((program) => findProgram(program) === undefined);
  if (missing.length > 0) return `${missing.join(' and ')} not installed`;
  if (kind === 'memcached-sasl' && !memcachedHasSasl()) return 'memcached was built without SASL';
  return undefined;
}

/** The Debian packages of the programs this machine lacks. */
export function missingPackages(): string[] {
  const missing = (Object.keys(PACKAGES) as Program[]).filter(
    (program) => findProgram(program) === undefined,
  );
  return [...new Set(missing.map((program) => PACKAGES[program]))];
}

function memcachedHasSasl(): boolean {
  const help = execFileSync(programPath('memcached'), ['-h'], { encoding: 'utf8' });
  return help.includes('--enable-sasl');
}

/** Where programs are looked for: also where Debian puts servers, out of a user's `PATH`. */
function directories(): string[] {
  const path = process.env.PATH?.split(delimiter) ?? [];
  return [...postgresDirectories(), ...path, '/usr/sbin', '/usr/local/sbin'];
}

/** The newest first. */
function postgresDirectories(): string[] {
  const root = '/usr/lib/postgresql';
  try {
    const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(root, version, 'bin'));
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
