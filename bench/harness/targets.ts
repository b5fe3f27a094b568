import type { ServerPlan, ServerState } from '../server';
import { ask, startProcess } from './processes';
import { type ProxyName, startProxy } from './proxies';

/** A server that runs. */
export interface Target {
  /** Of the page that all send. */
  readonly url: string;
  readonly handled: () => Promise<number>;
  /** CPU time used so far, in microseconds; `undefined` where that is not known. */
  readonly cpuUs: () => Promise<number | undefined>;
  readonly stop: () => Promise<void>;
}

/** Starts a server of ours in a process of its own. */
export async function startTarget(
  plan: ServerPlan,
  { node, side = 'server' }: { node: string; side?: 'server' | 'load' },
): Promise<Target> {
  const child = startProcess('server.ts', plan, { side, node });
  const state = () => ask<ServerState>(child, {});
  const { port } = await state();
  return {
    url: `http://127.0.0.1:${port}/page/1`,
    handled: async () => (await state()).handled,
    cpuUs: async () => (await state()).cpuUs,
    stop: async () => child.disconnect(),
  };
}

/** Starts a proxy that caches, and behind it, where it is in nobody's way, a server of ours. */
export async function startProxyTarget(
  name: ProxyName,
  origin: ServerPlan,
  { node, isPatient = false }: { node: string; isPatient?: boolean },
): Promise<Target> {
  const behind = await startTarget(origin, { node, side: 'load' });
  const port = Number(new URL(behind.url).port);
  const proxy = await startProxy(name, port, { isPatient }).catch(async (error: Error) => {
    await behind.stop();
    throw error;
  });
  return {
    url: `http://127.0.0.1:${proxy.port}/page/1`,
    handled: behind.handled,
    cpuUs: async () => proxy.cpuUs(),
    stop: async () => {
      await proxy.stop();
      await behind.stop();
    },
  };
}
