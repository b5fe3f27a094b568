import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { NetworkServer } from './servers';

/** How long an answer is held back, so that what was sent together is seen to be. */
const HOLD_MS = 5;

/** What goes between the clients of a server and the server. */
export interface RecordingProxy {
  readonly url: string;
  readonly port: number;
  /** What clients have sent since {@link RecordingProxy.reset}. */
  sent(): string;
  /** How often a client has sent something after an answer: its round trips. */
  roundTrips(): number;
  reset(): void;
  /** Holds answers back for longer from now on. */
  hold(ms: number): void;
  close(): Promise<void>;
}

/** Stands before a server and writes down what is asked of it. */
export async function recordingProxy(server: NetworkServer): Promise<RecordingProxy> {
  let sent: Buffer[] = [];
  let roundTrips = 0;
  let isAnswered = true;
  let holdMs = HOLD_MS;
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const upstream = connect(server.port, server.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
    }
    client.on('data', (chunk) => {
      sent.push(chunk);
      if (isAnswered) roundTrips += 1;
      isAnswered = false;
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      setTimeout(() => {
        isAnswered = true;
        client.write(chunk);
      }, holdMs);
    });
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    sent: () => Buffer.concat(sent).toString('latin1'),
    roundTrips: () => roundTrips,
    hold: (ms) => {
      holdMs = ms;
    },
    reset: () => {
      sent = [];
      roundTrips = 0;
      isAnswered = true;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}
