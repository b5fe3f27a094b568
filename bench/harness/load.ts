import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '../../test/support/servers/programs';
import { pinned } from './cores';
import { ask, startProcess } from './processes';

/** What the load generator is asked to do. */
export interface LoadRequest {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  /** Whether each request is for a URL of its own, which begins as `url` does. */
  readonly isFresh: boolean;
}

/** What came of it. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** Of answers that were none, or errors: what went wrong, and how often. */
  readonly failures: readonly string[];
}

/** A load generator. */
export interface Load {
  readonly name: string;
  apply(request: LoadRequest): Promise<LoadResult>;
  close(): void;
}

/** wrk where it is installed, for it takes a fraction of the processor; else autocannon. */
export function openLoad(): Load {
  const wrk = findProgram('wrk');
  return wrk === undefined ? openAutocannon() : openWrk(wrk);
}

function openWrk(wrk: string): Load {
  const run = promisify(execFile);
  return {
    name: 'wrk',
    async apply({ url, seconds, connections, isFresh }) {
      const script = join(__dirname, 'wrk.lua');
      const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s'];
      const paths = isFresh ? ['--', `${new URL(url).pathname}-`] : [];
      const { stdout } = await run(
        ...pinned('load', wrk, [...options, '-s', script, url, ...paths]),
      );
      const { requests, durationUs, failures } = JSON.parse(stdout.trim().split('\n').at(-1)!);
      return { requests, seconds: durationUs / 1e6, failures: kindsOf(failures) };
    },
    close() {},
  };
}

/** Those that occurred, and how often. */
export function kindsOf(counts: Readonly<Record<string, number>>): string[] {
  return Object.entries(counts).flatMap(([kind, count]) => (count > 0 ? `${kind}: ${count}` : []));
}

function openAutocannon(): Load {
  const child = startProcess('harness/load-process.ts', {}, { side: 'load' });
  return {
    name: 'autocannon (install wrk for a load that takes less of the processor)',
    apply: (request) => ask<LoadResult>(child, request),
    close: () => child.disconnect(),
  };
}
