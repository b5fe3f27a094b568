import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';

/** What a client got, with the header lines as they were sent. */
export interface Received {
  readonly status: number;
  readonly reason: string;
  /** `Name: value`, one string a line, in the order of arrival. */
  readonly lines: string[];
  readonly body: Buffer;
}

/** A server on a free port of loopback, and a client for it that adds nothing of its own. */
export interface Site {
  get(path: string, headers?: Record<string, string>, method?: string): Promise<Received>;
  readonly port: number;
  close(): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: Connect, Express and both protocols fit here
export type Listener = (req: any, res: any) => void;

/** Serves over HTTP/1.1. */
export async function serveHttp1(listener: Listener): Promise<Site> {
  const server = http.createServer(listener);
  // A client that asks just as an idle connection is given up would get an error.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const agent = new http.Agent({ keepAlive: true });
  return {
    port,
    get: (path, headers = {}, method = 'GET') =>
      new Promise((resolve, reject) => {
        http
          .request({ port, host: '127.0.0.1', path, headers, method, agent }, (res) => {
            collect(res).then((body) => {
              const lines: string[] = [];
              for (let i = 0; i < res.rawHeaders.length; i += 2) {
                lines.push(`${res.rawHeaders[i]}: ${res.rawHeaders[i + 1]}`);
              }
              resolve({ status: res.statusCode!, reason: res.statusMessage!, lines, body });
            }, reject);
          })
          .on('error', reject)
          .end();
      }),
    close: async () => {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Serves over HTTP/2 without TLS, through Node's compatibility API. */
export async function serveHttp2(listener: Listener): Promise<Site> {
  const server = http2.createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const session = http2.connect(`http://127.0.0.1:${port}`);
  return {
    port,
    get: (path, headers = {}, method = 'GET') =>
      new Promise((resolve, reject) => {
        // Only of GET and HEAD does Node know by itself that no body follows.
        const fields = { ':path': path, ':method': method, ...headers };
        const stream = session.request(fields, { endStream: true });
        stream.on('error', reject);
        stream.on('response', (fields) => {
          const { ':status': status, ...rest } = fields;
          collect(stream).then((body) => {
            const lines = Object.entries(rest).flatMap(([name, value]) =>
              [value].flat().map((item) => `${name}: ${item}`),
            );
            resolve({ status: Number(status), reason: '', lines, body });
          }, reject);
        });
        stream.end();
      }),
    close: async () => {
      await new Promise<void>((resolve) => session.close(resolve));
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function collect(stream: NodeJS.ReadableStream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => resolve(Buffer.concat(chunks)));
    stream.on('error', reject);
    stream.on('aborted', () => reject(new Error('aborted')));
  });
}
