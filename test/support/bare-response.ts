import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** A response that goes nowhere, for helpers that only look at its headers. */
export function bareResponse(headers: Record<string, string | string[]> = {}): ServerResponse {
  const res = new ServerResponse(new IncomingMessage(new Socket()));
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  return res;
}
