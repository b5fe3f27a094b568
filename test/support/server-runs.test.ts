import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeWithServer } from './servers';
import { startOf } from './servers/processes';
import { tempDirectories } from './temp-directory';

const ROOT = join(__dirname, '../..');
const tempDirectory = tempDirectories();
let temporary: string;

beforeEach(() => {
  temporary = tempDirectory();
});

/** Runs one fixture as a test file, by a Jest of its own. */
function runJest(fixture: string, environment: Record<string, string> = {}) {
  const jest = join(ROOT, 'node_modules/jest/bin/jest.js');
  const testMatch = `<rootDir>/test/fixtures/servers/${fixture}.ts`;
  return spawnSync(process.execPath, [jest, '--runInBand', '--testMatch', testMatch], {
    cwd: ROOT,
    encoding: 'utf8',
    // A temporary folder of its own: another run on this machine would tidy up after it too.
    env: { ...process.env, CI: '', TMPDIR: temporary, ...environment },
  });
}

describe('on a machine without Redis', () => {
  const withoutRedis = () => ({ PATH: tempDirectory() });

  test('a suite that needs it is skipped by name, and the end of the run says so', () => {
    const { status, stderr } = runJest('needs-redis', withoutRedis());
    expect(stderr).toContain('Tests:       1 skipped, 1 passed');
    expect(stderr).toMatch(
      /^Suite skipped: a suite that needs Redis: redis-server not installed$/m,
    );
    expect(status).toBe(0);
  });

  test('with CI=true it fails instead', () => {
    const { status, stderr } = runJest('needs-redis', { ...withoutRedis(), CI: 'true' });
    expect(stderr).toContain('Tests:       1 failed, 1 passed');
    expect(stderr).toContain('redis-server not installed, and with CI=true');
    expect(status).toBe(1);
  });
});

describe('on a machine without Redis, but with apt-get', () => {
  /** An apt-get that does nothing but write down what it was asked. */
  function fakeApt(exitCode: number) {
    const path = tempDirectory();
    const log = join(path, 'log');
    writeFileSync(
      join(path, 'apt-get'),
      `#!/bin/sh
test -x /usr/sbin/policy-rc.d && services=held
echo "$DEBIAN_FRONTEND $services $*" >> ${log}
exit ${exitCode}
`,
      { mode: 0o755 },
    );
    return { path, asked: () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n') : []) };
  }

  test('root has what is missing installed, and no service started', () => {
    const apt = fakeApt(0);
    const hadPolicy = existsSync('/usr/sbin/policy-rc.d');
    const { status } = runJest('needs-redis', { PATH: apt.path });
    const [update, install] = apt.asked();
    if (process.getuid?.() === 0) {
      expect(update).toBe('noninteractive held update -qq');
      expect(install).toMatch(
        /^noninteractive held install .*--no-install-recommends.* redis-server/,
      );
    } else {
      expect(update).toBeUndefined();
    }
    expect(existsSync('/usr/sbin/policy-rc.d')).toBe(hadPolicy);
    expect(status).toBe(0);
  });

  test('what cannot be installed is skipped', () => {
    const { status, stderr } = runJest('needs-redis', { PATH: fakeApt(100).path });
    expect(stderr).toContain('Suite skipped: a suite that needs Redis');
    expect(status).toBe(0);
  });
});

describeWithServer('redis', 'a server its test file has left', () => {
  test('is ended with the run, and named', () => {
    const pidFile = join(tempDirectory(), 'pid');
    const { status, stderr } = runJest('forgets-redis', { PID_FILE: pidFile });
    const pid = readFileSync(pidFile, 'utf8');
    expect(startOf(Number(pid))).toBeUndefined();
    expect(readdirSync(temporary).filter((name) => name.startsWith('cachewright'))).toEqual([]);
    expect(stderr).toContain(`Stopped a server its test file had left running: redis (${pid})`);
    expect(status).toBe(0);
  });

  test('is ended by the next run, if its own was killed', () => {
    const pidFile = join(tempDirectory(), 'pid');
    const { signal } = runJest('forgets-redis', { PID_FILE: pidFile, CRASH: 'yes' });
    expect(signal).toBe('SIGKILL');
    const pid = Number(readFileSync(pidFile, 'utf8'));
    expect(startOf(pid)).toBeDefined();
    expect(runJest('needs-redis').status).toBe(0);
    expect(startOf(pid)).toBeUndefined();
  });
});
