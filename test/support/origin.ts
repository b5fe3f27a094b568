import type { IncomingMessage, ServerResponse } from 'node:http';

/** How an origin answers its `call`th request, counted from 1. */
export type Respond = (res: ServerResponse, call: number, req: IncomingMessage) => unknown;

/** A handler that counts how often it had to work: the oracle of every cache test. */
export interface Origin {
  readonly calls: number;
  readonly handle: (req: IncomingMessage, res: ServerResponse) => unknown;
}

/** By default it answers `page 1`, `page 2`, …, so that the body tells the run it came from. */
export function makeOrigin(respond: Respond = (res, call) => res.end(`page ${call}`)): Origin {
  let calls = 0;
  return {
    get calls() {
      return calls;
    },
    handle(req, res) {
      calls += 1;
      return respond(res, calls, req);
    },
  };
}
