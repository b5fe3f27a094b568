import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { findProgram, missingPackages } from './programs';

/** Asked by Debian's packages whether they may start their service. */
const POLICY = '/usr/sbin/policy-rc.d';

/**
 * Installs the server programs this machine lacks, where it is Debian or Ubuntu and the user is
 * root. Elsewhere, or without a network, they stay missing, and their suites are skipped.
 */
export function installMissingPrograms(): void {
  const packages = missingPackages();
  const apt = findProgram('apt-get');
  if (packages.length === 0 || apt === undefined || process.getuid?.() !== 0) return;
  process.stderr.write(`Installing ${packages.join(', ')} for the tests.\n`);
  const run = (...args: string[]) =>
    execFileSync(apt, args, {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      // The output of a run with --json is for programs to read.
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  // The tests start their own servers: none of the system's may come up with a package.
  const hasPolicy = existsSync(POLICY);
  if (!hasPolicy) {
    writeFileSync(POLICY, '#!/bin/sh\nexit 101\n');
    chmodSync(POLICY, 0o755);
  }
  try {
    run('update', '-qq');
    run('install', '-y', '-qq', '--no-install-recommends', ...packages);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
  } finally {
    if (!hasPolicy) rmSync(POLICY);
  }
}
