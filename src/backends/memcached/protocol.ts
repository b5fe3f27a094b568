/** Commands of the binary protocol, as far as they are used. */
export const OPCODES = {
  get: 0x00,
  set: 0x01,
  add: 0x02,
  delete: 0x04,
  increment: 0x05,
  decrement: 0x06,
  flush: 0x08,
  noop: 0x0a,
  getAndTouch: 0x1d,
} as const;

/** Answers that are not errors to every command. */
export const STATUS = { ok: 0x00, notFound: 0x01, exists: 0x02, notANumber: 0x06 } as const;

const STATUS_TEXTS = new Map([
  [0x01, 'key not found'],
  [0x02, 'key exists'],
  [0x03, 'value too large'],
  [0x04, 'invalid arguments'],
  [0x05, 'item not stored'],
  [0x06, 'not a number'],
  [0x20, 'authentication failed'],
  [0x81, 'unknown command'],
  [0x82, 'out of memory'],
  [0x83, 'not supported'],
]);

const HEADER_BYTES = 24;
const REQUEST_MAGIC = 0x80;
const RESPONSE_MAGIC = 0x81;

/** A command. */
export interface Request {
  readonly opcode: number;
  readonly key: string;
  readonly extras?: Buffer;
  readonly value?: Uint8Array;
  /** Of the item as it was read: the command is for that one alone. */
  readonly cas?: Buffer;
}

/** The answer to a command. */
export interface Reply {
  readonly status: number;
  /** What the entry was stored with, for commands that return one. */
  readonly flags: number;
  readonly cas: Buffer;
  readonly value: Buffer;
}

/** A server answered that it will not do what it was asked. */
export class MemcachedStatusError extends Error {
  constructor(
    server: string,
    readonly status: number,
  ) {
    const text = STATUS_TEXTS.get(status) ?? `status 0x${status.toString(16)}`;
    super(`${server} answered: ${text}.`);
  }
}

/** Bytes of a command. memjs's own are without `cas`. */
export function packRequest(request: Request, sequence: number): Buffer {
  const { opcode, key, extras, value, cas } = request;
  const keyBytes = Buffer.byteLength(key);
  const extrasBytes = extras?.length ?? 0;
  const bodyBytes = keyBytes + extrasBytes + (value?.length ?? 0);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + bodyBytes).fill(0, 0, HEADER_BYTES);
  bytes[0] = REQUEST_MAGIC;
  bytes[1] = opcode;
  bytes.writeUInt16BE(keyBytes, 2);
  bytes[4] = extrasBytes;
  bytes.writeUInt32BE(bodyBytes, 8);
  bytes.writeUInt32BE(sequence, 12);
  if (cas !== undefined) bytes.set(cas, 16);
  if (extras !== undefined) bytes.set(extras, HEADER_BYTES);
  bytes.write(key, HEADER_BYTES + extrasBytes);
  if (value !== undefined) bytes.set(value, HEADER_BYTES + extrasBytes + keyBytes);
  return bytes;
}

/** Extras of a command that stores. */
export function storeExtras(flags: number, expiration: number): Buffer {
  const extras = Buffer.allocUnsafe(8);
  extras.writeUInt32BE(flags, 0);
  extras.writeUInt32BE(expiration, 4);
  return extras;
}

/** Extras of a touch. */
export function touchExtras(expiration: number): Buffer {
  const extras = Buffer.allocUnsafe(4);
  extras.writeUInt32BE(expiration, 0);
  return extras;
}

/** Extras of a command that counts. */
export function countExtras(delta: number): Buffer {
  const extras = Buffer.alloc(20);
  extras.writeBigUInt64BE(BigInt(delta), 0);
  // This one expiration means: create nothing where there is nothing.
  extras.writeUInt32BE(0xffff_ffff, 16);
  return extras;
}

/**
 * Bytes from `offset` on that the next answer takes; those of its header if that is not whole.
 *
 * @throws Error if what is there is no answer.
 */
export function replyLength(bytes: Buffer, offset: number): number {
  if (offset < bytes.length && bytes[offset] !== RESPONSE_MAGIC) {
    throw new Error('The server does not speak the binary protocol of Memcached.');
  }
  if (bytes.length - offset < HEADER_BYTES) return HEADER_BYTES;
  return HEADER_BYTES + bytes.readUInt32BE(offset + 8);
}
