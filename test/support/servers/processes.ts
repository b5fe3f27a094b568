import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const hasProc = existsSync('/proc/self/stat');

/** Nobody wakes who waits on it. */
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/**
 * What tells a process from a later one with the same id: when it was started. `undefined` if it
 * has ended.
 */
export function startOf(pid: number): string | undefined {
  if (!hasProc) {
    try {
      const [state, ...start] = ps('-p', String(pid), '-o', 'state=,lstart=')[0] ?? [];
      return state === undefined || state.startsWith('Z') ? undefined : start.join(' ');
    } catch {
      return undefined;
    }
  }
  const [state, ...fields] = statOf(pid) ?? [];
  // A zombie has ended, and only waits to be asked how.
  return state === undefined || state === 'Z' ? undefined : fields[18];
}

/** Sends a signal to a process and to those it started, down to the last. */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  const stopped = stopTree(pid);
  if (signal === 'SIGSTOP') return;
  for (const id of stopped) sendSignal(id, signal);
}

/** Stops the parent first: it starts no others while its children are looked for. */
function stopTree(pid: number): number[] {
  sendSignal(pid, 'SIGSTOP');
  // The signal reaches one of its threads, and on a busy machine the others work on for a while.
  while (hasProc && isAnyRunning(pid)) Atomics.wait(NEVER, 0, 0, 1);
  return [pid, ...childrenOf(pid).flatMap(stopTree)];
}

/** Whether a thread of a process is not stopped yet. */
function isAnyRunning(pid: number): boolean {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`).map((task) => statOf(`${pid}/task/${task}`));
    return tasks.some((stat) => stat !== undefined && !/^[TtZX]/.test(stat[0]!));
  } catch {
    // It has ended.
    return false;
  }
}

/** Sends a signal to a process, if it runs. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The ids of the processes started by this one, that run still. */
export function childrenOf(pid: number): number[] {
  const parents = hasProc
    ? readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((name) => [Number(name), Number(statOf(Number(name))?.[1])] as const)
    : ps('-axo', 'pid=,ppid=').map(([id, parent]) => [Number(id), Number(parent)] as const);
  return parents.filter(([, parent]) => parent === pid).map(([id]) => id);
}

/** The fields of `/proc/PID/stat` from the state on: what precedes may hold blanks. */
export function statOf(pid: number | string): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function ps(...args: string[]): string[][] {
  const lines = execFileSync('ps', args, { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => line.trim().split(/\s+/));
}
