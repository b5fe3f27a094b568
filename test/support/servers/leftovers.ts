import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sendSignal, signalTree, startOf } from './processes';
import { RUN_DIRECTORY_PREFIX } from './run-directory';
import type { PidRecord } from './server-process';

const STOP_DEADLINE_MS = 5000;

/** The process a run directory belongs to. */
export interface RunOwner {
  readonly pid: number;
  readonly start: string;
}

/**
 * Ends every server a run has left, and removes its directory.
 *
 * @returns The servers that a test file should have stopped itself.
 */
export async function endRun(directory: string): Promise<PidRecord[]> {
  const running = readdirSync(join(directory, 'pids'))
    .map((file) => JSON.parse(readFileSync(join(directory, 'pids', file), 'utf8')) as PidRecord)
    .filter(isRunning);
  await Promise.all(running.map(end));
  rmSync(directory, { recursive: true, force: true });
  return running.filter(({ isShared }) => !isShared);
}

/** Ends what runs that were killed themselves have left. */
export async function endDeadRuns(): Promise<void> {
  const names = readdirSync(tmpdir()).filter((name) => name.startsWith(RUN_DIRECTORY_PREFIX));
  for (const name of names) {
    const directory = join(tmpdir(), name);
    let owner: RunOwner;
    try {
      owner = JSON.parse(readFileSync(join(directory, 'owner.json'), 'utf8')) as RunOwner;
    } catch {
      // Another run is just making it, or removing it.
      continue;
    }
    if (startOf(owner.pid) === owner.start) continue;
    const taken = `${directory}-ended-by-${process.pid}`;
    try {
      renameSync(directory, taken);
    } catch {
      // Another run has taken it on.
      continue;
    }
    await endRun(taken);
  }
}

/** An id alone may be another process by now. */
function isRunning({ pid, start }: PidRecord): boolean {
  return startOf(pid) === start;
}

async function end(record: PidRecord): Promise<void> {
  signalTree(record.pid, 'SIGCONT');
  sendSignal(record.pid, record.stopSignal);
  const deadlineAt = Date.now() + STOP_DEADLINE_MS;
  while (isRunning(record) && Date.now() < deadlineAt) await delay(10);
  if (isRunning(record)) signalTree(record.pid, 'SIGKILL');
}
