/**
 * Collects the bytes of a response while they are sent. Every chunk is copied once, into its
 * place, as handlers may use a Buffer again once it is written.
 */
export class BodySink {
  readonly #limit: number;
  #bytes: Buffer;
  #length = 0;
  #isOverflown = false;

  /**
   * @param limit - Bytes held at most; more drop everything.
   * @param expected - Bytes announced, so that room is made once.
   */
  constructor(limit: number, expected: number | undefined) {
    this.#limit = limit;
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(expected ?? 0, limit));
  }

  get isOverflown(): boolean {
    return this.#isOverflown;
  }

  append(chunk: unknown, encoding: BufferEncoding): void {
    if (this.#isOverflown) return;
    const isText = typeof chunk === 'string' && HAS_EXACT_LENGTH.has(encoding);
    const bytes = isText ? chunk : toBytes(chunk, encoding);
    const size = typeof bytes === 'string' ? Buffer.byteLength(bytes, encoding) : bytes.length;
    const length = this.#length + size;
    if (length > this.#limit) {
      this.#isOverflown = true;
      this.#bytes = Buffer.alloc(0);
      return;
    }
    if (length > this.#bytes.length) this.#grow(length);
    if (typeof bytes === 'string') this.#bytes.write(bytes, this.#length, encoding);
    else this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  /** The whole body. No more can be appended. */
  take(): Buffer {
    if (this.#length === this.#bytes.length) return this.#bytes;
    // Not a view: it would keep the spare room in memory for as long as the entry lives.
    const body = Buffer.allocUnsafeSlow(this.#length);
    body.set(this.#bytes.subarray(0, this.#length));
    return body;
  }

  #grow(needed: number): void {
    const isFirst = this.#length === 0;
    const room = isFirst ? needed : Math.min(Math.max(needed, 2 * this.#bytes.length), this.#limit);
    const grown = Buffer.allocUnsafeSlow(room);
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Encodings in which it is known how many bytes a text makes before they are made. */
const HAS_EXACT_LENGTH = new Set<BufferEncoding>(['utf8', 'utf-8', 'latin1', 'binary', 'ascii']);

function toBytes(chunk: unknown, encoding: BufferEncoding): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : (chunk as Uint8Array);
}
