import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Way } from './contenders/cachewright';
import { SHORT_SECONDS, SLOW_MS } from './contenders/handlers';
import { PROXIES, type ProxyName } from './harness/proxies';
import { median } from './harness/ratios';
import type { Table } from './harness/table';
import { startProxyTarget, startTarget, type Target } from './harness/targets';
import type { ServerPlan } from './server';

/** What is measured, and how. */
export interface StampedeOptions {
  readonly rounds: number;
  /** The program that runs the servers. */
  readonly node: string;
  /** Why a proxy is not there; `undefined`: it is. */
  readonly whyMissing: (proxy: ProxyName) => string | undefined;
}

/** What came of it: one figure a round each. */
export interface StampedeResult {
  readonly label: string;
  /** Whether it is this package. */
  readonly isOurs: boolean;
  /** How often the handler ran. */
  readonly runs: readonly number[];
  /** Until the last of the visitors had the page. */
  readonly slowestMs: readonly number[];
  /** Why it was left out. */
  readonly skipped?: string;
}

const VISITORS = 500;

const STAMPEDE_WAYS = [
  'updateCache + fetchFromCache',
  'cachePage',
  'cacheApp',
] as const satisfies readonly Way[];

/** Also for those who round times to whole seconds. */
const UNTIL_EXPIRED_MS = 1000 * SHORT_SECONDS + 1100;

/** How those fare who all ask at once for a page that has just expired. */
export async function measureStampede(options: StampedeOptions): Promise<StampedeResult[]> {
  const { rounds, node, whyMissing } = options;
  const plan = { handler: 'slow', bytes: 2048, seconds: SHORT_SECONDS } as const;
  const origin: ServerPlan = { ...plan, way: 'no cache' };
  const players: { target?: Target; result: StampedeResult }[] = [];
  const enter = (label: string, isOurs: boolean, target?: Target, skipped?: string) =>
    players.push({ target, result: { label, isOurs, runs: [], slowestMs: [], skipped } });
  try {
    for (const way of STAMPEDE_WAYS) {
      enter(`cachewright, \`${way}\``, true, await startTarget({ ...plan, way }, { node }));
    }
    for (const proxy of Object.keys(PROXIES) as ProxyName[]) {
      const why = whyMissing(proxy);
      const label = { nginx: 'nginx, `proxy_cache_lock`', varnish: 'Varnish, no grace' }[proxy];
      const target =
        why === undefined
          ? await startProxyTarget(proxy, origin, { node, isPatient: true })
          : undefined;
      enter(label, false, target, why);
    }
    // The first one warms up.
    for (let round = 0; round <= rounds; round += 1) {
      const present = players.flatMap(({ target, result }) => (target ? [{ target, result }] : []));
      await Promise.all(present.map(({ target }) => fetch(target.url)));
      await delay(UNTIL_EXPIRED_MS);
      for (const { target, result } of present) {
        const before = await target.handled();
        const slowestMs = await rush(target.url);
        if (round === 0) continue;
        (result.runs as number[]).push((await target.handled()) - before);
        (result.slowestMs as number[]).push(slowestMs);
      }
    }
  } finally {
    for (const { target } of players) await target?.stop();
  }
  return players.map(({ result }) => result);
}

/**
 * Sends a request on each of many connections that are open already.
 *
 * @returns Milliseconds until the last of them is answered.
 */
async function rush(url: string): Promise<number> {
  const { hostname, port, host, pathname } = new URL(url);
  const sockets = Array.from({ length: VISITORS }, () => connect(Number(port), hostname));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const request = `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const startedAt = performance.now();
  const answers = sockets.map(answered);
  for (const socket of sockets) socket.write(request);
  await Promise.all(answers);
  const tookMs = performance.now() - startedAt;
  for (const socket of sockets) socket.destroy();
  return tookMs;
}

/** Resolves once a socket has got a whole page. */
function answered(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = '';
    const fail = () => reject(new Error(`An answer of the stampede is no page: ${received}`));
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      received += text;
      const end = received.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = Number(/^Content-Length: *(\d+)/im.exec(received)?.[1]);
      if (!received.startsWith('HTTP/1.1 200 ') || Number.isNaN(length)) fail();
      else if (received.length >= end + 4 + length) resolve();
    });
    socket.once('close', fail);
  });
}

export function stampedeTable(results: readonly StampedeResult[]): Table {
  return {
    title: `${VISITORS} requests for one page that has just expired, a handler of ${SLOW_MS} ms`,
    head: ['', 'runs of the handler', 'slowest, ms', 'worst round, ms'],
    rows: results.map(({ label, runs, slowestMs, skipped }) =>
      skipped === undefined
        ? [
            label,
            String(Math.max(...runs)),
            median(slowestMs).toFixed(0),
            Math.max(...slowestMs).toFixed(0),
          ]
        : [label, skipped, '', ''],
    ),
    notes: ['On connections that are open. Runs are the most of any round.'],
  };
}
