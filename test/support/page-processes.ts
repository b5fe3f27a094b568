import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { join } from 'node:path';
import type { PageProcessPlan } from './page-process';

/** What a page process did so far. */
export interface PageTally {
  /** Runs of the handler. */
  readonly calls: number;
  /** Requests that have reached it, whatever became of them. */
  readonly arrived: number;
  /** Look-ups under way. */
  readonly looking: number;
  /** What the page cache reported since it was last asked. */
  readonly failures: readonly string[];
}

/** An Express app in a process of its own. */
export interface PageProcess {
  readonly pid: number;
  readonly port: number;
  /** Asks for a page, and resolves to its body. Rejects on anything but a 200. */
  get(path: string): Promise<string>;
  /** Asks for a page, and resolves to whether it came from the cache. */
  isHit(path: string): Promise<boolean>;
  /** Posts, on the connection of all other requests, and resolves to the status. */
  post(path: string): Promise<number>;
  tally(): Promise<PageTally>;
  /** From now on its handler does not answer, until it is released. */
  hold(): Promise<PageTally>;
  /** Lets those answer that were held, and the handler again as before. */
  release(): Promise<PageTally>;
  /** Ends it without a word. */
  kill(): Promise<void>;
  /** Closes its server and its caches, and waits for it to end by itself. */
  close(): Promise<number | null>;
}

const SCRIPT = join(__dirname, 'page-process.ts');

/** Starts one, and waits until it listens. */
export async function startPageProcess(plan: PageProcessPlan): Promise<PageProcess> {
  const child = fork(SCRIPT, [JSON.stringify(plan)], { execArgv: ['--import', 'tsx'] });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const [{ port }] = (await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => Promise.reject(new Error(`It ended with ${code}.`))),
  ])) as [{ port: number }];
  const agent = new http.Agent({ keepAlive: true, maxSockets: plan.countIn ? 1 : Infinity });
  return {
    pid: child.pid!,
    port,
    get: async (path) => (await visit(agent, port, path)).body,
    isHit: async (path) => (await visit(agent, port, path)).cacheStatus.includes('hit'),
    post: async (path) => (await visit(agent, port, path, 'POST')).status,
    tally: () => tell(child, 'tally'),
    hold: () => tell(child, 'hold'),
    release: () => tell(child, 'release'),
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
      agent.destroy();
    },
    close: async () => {
      agent.destroy();
      if (child.exitCode === null && child.signalCode === null) child.send('close');
      const [code] = await exited;
      return code;
    },
  };
}

async function tell(child: ChildProcess, message: string): Promise<PageTally> {
  const answer = once(child, 'message') as Promise<[PageTally]>;
  child.send(message);
  const [tally] = await answer;
  return tally;
}

function visit(
  agent: http.Agent,
  port: number,
  path: string,
  method = 'GET',
): Promise<{ readonly status: number; readonly body: string; readonly cacheStatus: string }> {
  return new Promise((resolve, reject) => {
    // One site, whichever process answers for it.
    const headers = { Host: 'www.example.com' };
    const request = http.request(
      { agent, port, host: '127.0.0.1', path, headers, method },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => {
          const body = Buffer.concat(chunks).toString();
          const cacheStatus = String(res.headers['cache-status']);
          const status = res.statusCode!;
          const isWhole = res.complete && (status === 200 || method === 'POST');
          if (isWhole) resolve({ status, body, cacheStatus });
          else reject(new Error(`${status} for ${path}: ${body}`));
        });
      },
    );
    request.on('error', reject);
    request.end();
  });
}
