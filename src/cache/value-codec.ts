import { CacheValueError } from '../errors';
import { Envelope, isEnvelope, newHead, packEnvelope, unpackEnvelope } from './envelope';
import { importByPath } from './import-path';
import { jsonSerializer, msgpackSerializer, type Serializer } from './serializers';

/** First byte of stored bytes. None of them is a digit or `-`, with which integers begin. */
const BUFFER = 0;
const UINT8_ARRAY = 1;
const SERIALIZED = 2;

/** A serializer, the name of a built-in one, or the path of one (`./serializer.js#mine`). */
export type SerializerOption = 'msgpack' | 'json' | Serializer | (string & {});

/**
 * Turns values into what a backend stores: safe integers as numbers, so that a server can count
 * on them; Buffers as their bytes; everything else by a serializer. A serializer of the user's
 * own sees every value, integers and Buffers included, and writes the stored bytes alone.
 */
export class ValueCodec {
  readonly #serializer: Serializer;
  readonly #isCustom: boolean;

  /** @throws TypeError if `serializer` is neither a known name nor has `dump` and `load`. */
  constructor(serializer: SerializerOption = 'msgpack') {
    this.#serializer = resolveSerializer(serializer);
    this.#isCustom = this.#serializer !== msgpackSerializer && this.#serializer !== jsonSerializer;
  }

  /** @throws CacheValueError, naming `key`, if `value` cannot be stored. */
  encode(value: unknown, key: string): number | Buffer {
    try {
      return value instanceof Envelope ? this.#seal(value) : this.#encode(value);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new CacheValueError(`${JSON.stringify(key)} was not stored. ${reason}`, key, {
        cause: error,
      });
    }
  }

  #encode(value: unknown): number | Buffer {
    // Whatever a serializer makes of it, reading it back would look like a miss.
    if (value === undefined) throw new TypeError('undefined cannot be told from a miss.');
    if (this.#isCustom) {
      const bytes = Buffer.from(this.#serializer.dump(value));
      // Without one of its own it would be taken for what it looks like.
      return isEnvelope(bytes) ? packEnvelope(newHead(), new Map(), bytes) : bytes;
    }
    if (Number.isSafeInteger(value)) return value as number;
    if (Buffer.isBuffer(value)) return tagged(BUFFER, value);
    if (value instanceof Uint8Array) return tagged(UINT8_ARRAY, value);
    return tagged(SERIALIZED, this.#serializer.dump(value));
  }

  #seal({ head, content }: Envelope): Buffer {
    if (content === undefined) return head;
    const encoded = this.#encode(content.value);
    return packEnvelope(head, content.counters, bytesOf(encoded));
  }

  #unseal(stored: Buffer): Envelope {
    const { head, content } = unpackEnvelope(stored);
    if (content === undefined) return new Envelope(head);
    const { counters, value } = content;
    // What it holds may look like one itself, but is not.
    return new Envelope(head, { counters, value: this.#decodeBytes(value) });
  }

  /**
   * The value that was encoded. A Buffer is a view of `stored`: pass bytes of your own.
   *
   * @throws if the bytes are not what `encode` wrote.
   */
  decode(stored: number | Buffer): unknown {
    if (typeof stored === 'number') return stored;
    return isEnvelope(stored) ? this.#unseal(stored) : this.#decode(stored);
  }

  #decode(stored: Buffer): unknown {
    if (this.#isCustom) return this.#serializer.load(stored);
    switch (stored[0]) {
      case BUFFER:
        return stored.subarray(1);
      case UINT8_ARRAY:
        return new Uint8Array(stored.buffer, stored.byteOffset + 1, stored.length - 1);
      case SERIALIZED:
        return this.#serializer.load(stored.subarray(1));
      default:
        throw new TypeError('Stored bytes do not begin with a tag of this codec.');
    }
  }

  /** Like `encode`, for stores that hold bytes only: integers become their decimal digits. */
  encodeBytes(value: unknown, key: string): Buffer {
    return bytesOf(this.encode(value, key));
  }

  /** Reads what `encodeBytes` wrote, or what a server counted up. */
  decodeBytes(bytes: Buffer): unknown {
    return isEnvelope(bytes) ? this.#unseal(bytes) : this.#decodeBytes(bytes);
  }

  #decodeBytes(bytes: Buffer): unknown {
    const first = bytes[0];
    const isDigits = first !== undefined && (first === 0x2d || (first >= 0x30 && first <= 0x39));
    if (this.#isCustom || !isDigits) return this.#decode(bytes);
    // Memcached writes spaces over the digits that counting down leaves too many.
    const text = bytes.toString('latin1');
    const integer = Number(text);
    if (!/^-?\d+ *$/.test(text) || !Number.isSafeInteger(integer)) {
      throw new TypeError('Stored bytes begin like an integer, but are none.');
    }
    return integer;
  }
}

function resolveSerializer(serializer: SerializerOption): Serializer {
  if (serializer === 'msgpack') return msgpackSerializer;
  if (serializer === 'json') return jsonSerializer;
  let cause: unknown;
  try {
    const found = (
      typeof serializer === 'string' ? importByPath(serializer) : serializer
    ) as Serializer;
    if (typeof found?.dump === 'function' && typeof found.load === 'function') return found;
  } catch (error) {
    cause = error;
  }
  throw new TypeError(
    `options.serializer is ${JSON.stringify(serializer)}. Give 'msgpack', 'json', an object with dump(value) and load(bytes), or the path of one ('./serializer.js#mine').`,
    { cause },
  );
}

function bytesOf(encoded: number | Buffer): Buffer {
  return typeof encoded === 'number' ? Buffer.from(String(encoded)) : encoded;
}

function tagged(tag: number, bytes: Uint8Array): Buffer {
  const stored = Buffer.allocUnsafeSlow(bytes.length + 1);
  stored[0] = tag;
  stored.set(bytes, 1);
  return stored;
}
