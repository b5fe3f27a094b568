import { addExtension, Packr } from 'msgpackr/index-no-eval';
import { assertStorable, MapPairs } from './storable';

/** Turns values into bytes and back. Reading must be pure: it may run no code of the data's. */
export interface Serializer {
  /** Bytes of `value`. Throws if it cannot be stored faithfully. */
  dump(value: unknown): Uint8Array;
  /** A fresh copy of what was dumped. Throws if the bytes are not what `dump` wrote. */
  load(bytes: Uint8Array): unknown;
}

// The extension table belongs to this build of msgpackr alone; an application's own
// `import 'msgpackr'` does not see it.
addExtension({
  Class: MapPairs,
  type: 1,
  write: (pairs: MapPairs) => pairs.flat,
  read: (flat: unknown[]) => new MapPairs(flat).toMap(),
} as Parameters<typeof addExtension>[0]);

const packr = new Packr({
  // Records would make the decoder generate code from what it reads.
  useRecords: false,
  moreTypes: true,
  // Or a Buffer inside a value would be a window onto the stored bytes.
  copyBuffers: true,
} as ConstructorParameters<typeof Packr>[0]);

/**
 * The default: MessagePack. Keeps `null`, booleans, numbers, strings, BigInt, Date, Map, Set,
 * RegExp, Buffer and typed arrays, arrays and plain objects; asks other objects for their
 * `toJSON()`, or takes their own enumerable properties, as `structuredClone()` does. `-0` is read
 * back as `0`.
 */
export const msgpackSerializer: Serializer = {
  dump: (value) => packr.pack(assertStorable(value, 'msgpack')),
  load: (bytes) => packr.unpack(bytes),
};

/** JSON text, readable by other programs. Refuses what JSON would change: Date, Map, `undefined`, … */
export const jsonSerializer: Serializer = {
  dump: (value) => Buffer.from(JSON.stringify(assertStorable(value, 'json'))),
  load: (bytes) => JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()),
};
