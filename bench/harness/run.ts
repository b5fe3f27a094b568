import { cpus } from 'node:os';
import { CONNECTIONS } from '../hits';
import { PINNING, pinProcess } from './cores';
import { type Load, openLoad } from './load';
import { findNode } from './node-program';

/** What all measurements of a run share. */
export interface Run {
  /** The program that runs the servers, and its version. */
  readonly node: string;
  readonly nodeVersion: string;
  readonly load: Load;
}

/** Finds what is needed, and leaves the server's processor to the servers. */
export function prepareRun(wantedNode: string | undefined): Run {
  const { path, version } = findNode(wantedNode);
  pinProcess('load', process.pid);
  return { node: path, nodeVersion: version, load: openLoad() };
}

/** How the ratios of a run are to be read. */
const RATIOS = {
  contenders: [
    'Ratios of hits are to the first row, above 1 if better. The one with a star counts: requests a second',
    'where both servers had their processor 95 % of the time, else CPU time.',
  ],
  builds: ['Ratios are of CPU time for a request, below 1 if the new build takes less.'],
};

/** How figures were come by, for whoever reads them. */
export function describeRun(
  { nodeVersion, load }: Run,
  { rounds, seconds }: { rounds: number; seconds: number },
  of: keyof typeof RATIOS = 'contenders',
): string {
  const machine = `${cpus().length} CPUs (${cpus()[0]?.model.trim() ?? 'unknown'})`;
  const turns = `medians of ${rounds} interleaved rounds of ${seconds} s`;
  return [
    `Node ${nodeVersion}, ${machine}, ${new Date().toISOString().slice(0, 10)}; ${PINNING}.`,
    `${CONNECTIONS} connections by ${load.name}; ${turns}, after one that warms up.`,
    ...RATIOS[of],
  ].join('\n');
}
