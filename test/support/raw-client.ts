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

/** A request of these lines, after which the connection stays open. */
export function lines(...all: string[]): string {
  return `${all.join('\r\n')}\r\n\r\n`;
}

/** A request of these lines that asks the server to close afterwards. */
export function lastLines(...all: string[]): string {
  return lines(...all, 'Connection: close');
}

/** Bodies of the responses in `answer`, read by their `Content-Length`, as a client would. */
export function bodiesIn(answer: string, methods: readonly string[]): string[] {
  const bodies: string[] = [];
  let rest = answer;
  for (const method of methods) {
    const end = rest.indexOf('\r\n\r\n');
    const head = rest.slice(0, end);
    if (end === -1 || !head.startsWith('HTTP/1.1 ')) throw new Error(`Out of step: ${rest}`);
    const length = method === 'HEAD' ? 0 : Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    bodies.push(rest.slice(end + 4, end + 4 + length));
    rest = rest.slice(end + 4 + length);
  }
  if (rest !== '') throw new Error(`Left over: ${rest}`);
  return bodies;
}
