import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RequestHandler } from 'express';
import { CONTENDERS, type Contender, type ContenderId } from './contenders';
import { type BuildPlan, serveBuild } from './contenders/builds';
import type { Way } from './contenders/cachewright';
import { HANDLERS, type HandlerName } from './contenders/handlers';
import { pageOf } from './contenders/page';

/** What a server process is to be. */
export type ServerPlan =
  | {
      readonly contender: ContenderId;
      readonly bytes: number;
      readonly redisUrl: string;
      readonly memcachedUrl: string;
    }
  | {
      readonly way: Way;
      readonly handler: HandlerName;
      readonly bytes: number;
      readonly seconds: number;
    }
  | ({ readonly build: string; readonly bytes: number } & BuildPlan);

/** What it answers to any message. */
export interface ServerState {
  readonly port: number;
  /** How often its handler has run. */
  readonly handled: number;
  /** CPU time it has used so far, in microseconds. */
  readonly cpuUs: number;
}

/** Room in local memory, as a site with many pages would have it. */
const MAX_ENTRIES = 10_000;

let handled = 0;
const onHandled = () => {
  handled += 1;
};

async function main(): Promise<void> {
  const server = await open(JSON.parse(process.argv[2]!) as ServerPlan);
  // As many as there may be connections at once.
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
    process.on('message', () => {
      const { port } = server.address() as AddressInfo;
      const { user, system } = process.cpuUsage();
      const state: ServerState = { port, handled, cpuUs: user + system };
      process.send!(state);
    });
  });
  process.once('disconnect', () => process.exit());
}

async function open(plan: ServerPlan): Promise<Server> {
  if ('contender' in plan) {
    const { contender, bytes, ...stores } = plan;
    const { start }: Contender = CONTENDERS[contender];
    return start!({ page: pageOf(bytes), onHandled, ...stores });
  }
  if ('build' in plan) {
    const { build, bytes, ...rest } = plan;
    return serveBuild(build, rest, { page: pageOf(bytes), onHandled });
  }
  const { way, handler, bytes, seconds } = plan;
  // A server of another build is not to load this one.
  const { configureCaches, serve } = await import('./contenders/cachewright.js');
  configureCaches({ default: { options: { maxEntries: MAX_ENTRIES } } });
  return serve(way, counted(HANDLERS[handler](bytes)), seconds);
}

function counted(handler: RequestHandler): RequestHandler {
  return (req, res, next) => {
    onHandled();
    return handler(req, res, next);
  };
}

void main();
