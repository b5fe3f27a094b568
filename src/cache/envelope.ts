import { randomBytes } from 'node:crypto';
import type { Counters } from './tags';

/**
 * An envelope: this head, and unless it is a placeholder, the counters of the value's tags, and the
 * value as it would be stored without one.
 *
 *  0  magic and version of the format; MessagePack has nothing that begins so
 *  5  the envelope's own number
 * 13  how many counters; for each the length of its name, the name, and the counter
 */
export const MAGIC: Buffer = Buffer.from('\xc1CWT\x01', 'latin1');
const ID_BYTES = 8;
const COUNTER_BYTES = 8;

/** Bytes by which an envelope is told from all others. */
export const HEAD_BYTES: number = MAGIC.length + ID_BYTES;

/** Most tags a value can have. */
const MAX_TAGS = 0xffff;

/** What stands for a value of which there is more to know: its tags, or that it is being made. */
export class Envelope {
  /** @param head - Unlike that of any other; see {@link newHead}. */
  constructor(
    readonly head: Buffer,
    /** `undefined`: the value is being made, and there is none. */
    readonly content?: { readonly value: unknown; readonly counters: Counters },
  ) {}
}

/** The first bytes of an envelope that is made now. */
export function newHead(): Buffer {
  return Buffer.concat([MAGIC, randomBytes(ID_BYTES)]);
}

/** Whether these bytes, or the first of some, are those of an envelope. */
export function isEnvelope(bytes: Uint8Array): boolean {
  if (bytes[0] !== MAGIC[0] || bytes.length < MAGIC.length) return false;
  return MAGIC.compare(bytes, 0, MAGIC.length) === 0;
}

/** Whether these bytes are all of an envelope, and there is nothing in it. */
export function isPlaceholder(bytes: Uint8Array): boolean {
  return bytes.length === HEAD_BYTES && isEnvelope(bytes);
}

/** The bytes of an envelope. @param value - Those of what is in it. */
export function packEnvelope(head: Buffer, counters: Counters, value: Uint8Array): Buffer {
  if (counters.size > MAX_TAGS) {
    throw new TypeError(`The value has ${counters.size} tags. Give ${MAX_TAGS} at most.`);
  }
  const parts: Uint8Array[] = [head, Buffer.from([counters.size >> 8, counters.size & 0xff])];
  for (const [name, counter] of counters) {
    const part = Buffer.alloc(1 + name.length + COUNTER_BYTES);
    part[0] = name.length;
    part.write(name, 1, 'latin1');
    part.writeDoubleBE(counter, 1 + name.length);
    parts.push(part);
  }
  return Buffer.concat([...parts, value]);
}

/** What is in an envelope, its value as bytes; `undefined` for a placeholder. */
export interface Unpacked {
  readonly head: Buffer;
  readonly content?: { readonly counters: Counters; readonly value: Buffer };
}

/** Reads an envelope. @throws if it is not whole */
export function unpackEnvelope(bytes: Buffer): Unpacked {
  // Or it would keep all of the value alive.
  const head = Buffer.from(bytes.subarray(0, HEAD_BYTES));
  if (bytes.length === HEAD_BYTES) return { head };
  if (bytes.length < HEAD_BYTES + 2) throw new TypeError('A stored value was cut off.');
  const counters = new Map<string, number>();
  let at = HEAD_BYTES + 2;
  for (let left = bytes.readUInt16BE(HEAD_BYTES); left > 0; left -= 1) {
    const nameAt = at + 1;
    const nameEnd = nameAt + bytes.readUInt8(at);
    const name = bytes.toString('latin1', nameAt, nameEnd);
    const counter = bytes.readDoubleBE(nameEnd);
    // They are looked up under keys that must be good everywhere.
    if (!/^[\w.-]+$/.test(name)) throw new TypeError('The tags of a stored value are no tags.');
    counters.set(name, counter);
    at = nameEnd + COUNTER_BYTES;
  }
  return { head, content: { counters, value: bytes.subarray(at) } };
}
