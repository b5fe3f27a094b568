import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

/** A server that is spoken to in bytes, for requests no HTTP client would send. */
export interface RawSite {
  readonly port: number;
  /**
   * Sends `request` as it is, one byte a character, and returns all that comes back until the
   * server closes the connection.
   */
  exchange(request: string): Promise<string>;
  close(): Promise<void>;
}

/** Serves on a free port of loopback. */
export async function serveRaw(listener: RequestListener): Promise<RawSite> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    exchange: (request) =>
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1');
        const chunks: Buffer[] = [];
        socket.on('data', (chunk) => chunks.push(chunk));
        socket.on('error', reject);
        socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
        socket.write(request, 'latin1');
      }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A request of these lines that asks the server to close afterwards. */
export function lines(...all: string[]): string {
  return `${[...all, 'Connection: close'].join('\r\n')}\r\n\r\n`;
}
