import type { AddressInfo } from 'node:net';
import { SERVERS, type ServerName } from './servers';

/** What a server process answers to any message. */
export interface ServerState {
  readonly port: number;
  /** How often its handler has run. */
  readonly handled: number;
  /** CPU time it has used so far, in microseconds. */
  readonly cpuUs: number;
}

const [name, bytes] = process.argv.slice(2) as [ServerName, string];
let handled = 0;

const page = {
  body: Buffer.alloc(Number(bytes), '<p>The quick brown fox jumps over the lazy dog.</p>\n'),
  onHandled: () => {
    handled += 1;
  },
};

const server = SERVERS[name].start(page).listen(0, '127.0.0.1');

process.on('message', () => {
  const { port } = server.address() as AddressInfo;
  const { user, system } = process.cpuUsage();
  const state: ServerState = { port, handled, cpuUs: user + system };
  process.send!(state);
});
process.once('disconnect', () => process.exit());
