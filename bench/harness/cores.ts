import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { findProgram } from '../../test/support/servers/programs';

/** On which processor each side runs. */
export interface Cores {
  readonly server: number;
  readonly load: number;
}

const TASKSET = findProgram('taskset');

/** A core for the server and one for all else; `undefined` where processes cannot be tied to one. */
export const CORES = chooseCores();

/** What the reader of a figure has to know of {@link CORES}. */
export const PINNING =
  CORES === undefined
    ? 'server and load not tied to processors, which takes taskset and two of them'
    : `server on processor ${CORES.server}, load and stores on ${CORES.load}`;

/** A command that runs another on the processor of one side, where that can be said. */
export function pinned(
  side: keyof Cores,
  program: string,
  args: readonly string[],
): [program: string, args: string[]] {
  if (CORES === undefined) return [program, [...args]];
  return [TASKSET!, ['-c', String(CORES[side]), program, ...args]];
}

/** Moves a process that runs already, with all its threads. */
export function pinProcess(side: keyof Cores, pid: number): void {
  if (CORES === undefined) return;
  execFileSync(TASKSET!, ['-a', '-cp', String(CORES[side]), String(pid)], { stdio: 'ignore' });
}

function chooseCores(): Cores | undefined {
  if (TASKSET === undefined || availableParallelism() < 2) return undefined;
  const allowed = allowedCores();
  return { server: allowed.at(-1)!, load: allowed[0]! };
}

/** As `0-3,8`: a container does not have to begin with 0. */
function allowedCores(): number[] {
  const [, list] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))!;
  return list!.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number) as [number, number?];
    return Array.from({ length: last! - first + 1 }, (_, i) => first + i);
  });
}
