import type { Socket } from 'node:net';
import { optionalPackage } from '../optional-package';
import { packRequest, type Reply, type Request } from './protocol';

/** An answer, as memjs hands it on. */
export interface MemjsResponse {
  readonly header: { readonly status: number; readonly cas: Buffer };
  readonly extras: Buffer;
  readonly val: Buffer;
}

/** memjs's connection to one server, as far as it is used. */
export interface MemjsServer {
  readonly host: string;
  readonly port: number | string;
  readonly responseBuffer: Buffer;
  onResponse(sequence: number, listener: (response: MemjsResponse) => void): void;
  onError(sequence: number, listener: (error: Error) => void): void;
  write(bytes: Buffer): void;
}

/** A ready-made client of memjs, as far as it is used. */
export interface MemjsClient {
  readonly servers: readonly MemjsServer[];
  /** The server that has the key. */
  server(key: string): MemjsServer | null | undefined;
}

/** What is used of the connections that are made here. */
export interface OwnMemjsServer extends MemjsServer {
  username: string | undefined;
  password: string | undefined;
  responseHandler: (bytes: Buffer) => void;
  readonly _socket?: Socket;
  sock(isForSasl: boolean, go: () => void): void;
  error(error: Error): void;
}

/** The package, as far as it is used. */
export interface Memjs {
  readonly Server: new (
    host: string | undefined,
    port: number | string,
    username: undefined,
    password: undefined,
    options: {
      readonly timeout: number;
      readonly conntimeout: number;
      readonly keepAlive: boolean;
    },
  ) => OwnMemjsServer;
}

/** @throws Error that says what to install, if it is missing. */
export function loadMemjs(): Memjs {
  return optionalPackage('memjs', 'MemcachedCache', () => require('memjs') as Memjs);
}

/** Whether the location is a ready-made client. */
export function isMemjsClient(location: unknown): location is MemjsClient {
  const client = location as Partial<MemjsClient> | null;
  return (
    typeof client === 'object' &&
    client !== null &&
    Array.isArray(client.servers) &&
    client.servers.length > 0 &&
    typeof client.server === 'function'
  );
}

const HALF = 2 ** 31;
let lastSequence = 0;

/**
 * Sends a command over a connection of memjs. Its own methods are not used: they count wrong beyond
 * 32 bits, create what they are to increment, know no error but its text, and try again on their
 * own.
 */
export function exchange(server: MemjsServer, request: Request): Promise<Reply> {
  return new Promise((resolve, reject) => {
    // In the upper half of its 32 bits, which memjs never gets to: no mix-up where a client that
    // was handed in is used by others, too.
    lastSequence = (lastSequence + 1) % HALF;
    const sequence = HALF + lastSequence;
    server.onResponse(sequence, ({ header, extras, val }) => {
      resolve({
        status: header.status,
        flags: extras.length === 4 ? extras.readUInt32BE(0) : 0,
        cas: header.cas,
        value: ownBytes(val),
      });
    });
    server.onError(sequence, (error: unknown) => {
      // What was read of an answer would be taken for the beginning of the next connection's.
      (server as { responseBuffer: Buffer }).responseBuffer = Buffer.alloc(0);
      // memjs has strings for some.
      reject(typeof error === 'string' ? new Error(error) : error);
    });
    server.write(packRequest(request, sequence));
  });
}

/** Answers that came together share their memory: a small one must not keep all of it alive. */
function ownBytes(bytes: Buffer): Buffer {
  return bytes.length * 2 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes;
}
