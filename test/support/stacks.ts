import type { IncomingMessage, ServerResponse } from 'node:http';
import connect from 'connect';
import express from 'express';
import express4 from 'express4';

type Next = (error?: unknown) => void;

/** Middleware or a handler, as every stack takes it. */
export type Step = (req: IncomingMessage, res: ServerResponse, next: Next) => unknown;

/** Steps for one path only. */
export interface Route {
  readonly path: string;
  readonly steps: readonly Step[];
}

export type Listener = (req: IncomingMessage, res: ServerResponse) => void;

/** Everything the package promises to work on. Each makes one server of steps and routes. */
export const STACKS: Readonly<Record<string, (parts: readonly (Step | Route)[]) => Listener>> = {
  'Express 5': (parts) => withExpress(express() as never, parts),
  'Express 4': (parts) => withExpress(express4() as never, parts),
  Connect: (parts) => {
    const app = connect();
    for (const part of parts) {
      if (typeof part === 'function') app.use(part as connect.HandleFunction);
      else for (const step of part.steps) app.use(part.path, step as connect.HandleFunction);
    }
    return app;
  },
  'node:http': (parts) => {
    const steps = parts.flatMap((part) =>
      typeof part === 'function' ? [part] : part.steps.map((step) => onPath(part.path, step)),
    );
    return (req, res) => {
      const run = (i: number): unknown => {
        const step = steps[i];
        if (step !== undefined) return step(req, res, (error) => (error ? fail(res) : run(i + 1)));
        res.statusCode = 404;
        return res.end();
      };
      run(0);
    };
  },
};

/** Runs `define` once for each stack. */
export function describeEachStack(
  define: (build: (parts: readonly (Step | Route)[]) => Listener) => void,
): void {
  describe.each(Object.entries(STACKS))('on %s', (_name, build) => define(build));
}

interface ExpressLike extends Listener {
  use(step: Step): void;
  all(path: string, ...steps: Step[]): void;
}

function withExpress(app: ExpressLike, parts: readonly (Step | Route)[]): Listener {
  for (const part of parts) {
    if (typeof part === 'function') app.use(part);
    else app.all(part.path, ...part.steps);
  }
  return app;
}

function onPath(path: string, step: Step): Step {
  return (req, res, next) => (req.url!.split('?')[0] === path ? step(req, res, next) : next());
}

function fail(res: ServerResponse): void {
  res.statusCode = 500;
  res.end();
}
