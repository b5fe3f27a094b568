import { hash } from 'node:crypto';
import { isPlaceholder } from '../cache/envelope';

/**
 * A cache file: this head, then the final key as JSON, then the value.
 *
 *  0  magic and version of the format
 *  4  length of the key
 *  8  expiry: epoch milliseconds, or Infinity for never
 * 16  length of key and value together
 * 24  digest of key and value
 */
const MAGIC = Buffer.from('CWF\x01', 'latin1');
const KEY_LENGTH_AT = 4;
const BODY_LENGTH_AT = 16;
const DIGEST_AT = 24;

/** Where the expiry stands. Aligned, so that eight bytes written over it are never seen in part. */
export const EXPIRY_AT = 8;

/** Bytes before the key. */
export const HEAD_LENGTH = 44;

/** What a cache file holds. */
export interface FileEntry {
  /** What {@link keyText} makes of its final key. Two keys may share the name of a file. */
  readonly keyText: string;
  /** Epoch milliseconds; `Infinity`: never. */
  readonly expiresAt: number;
  /** The value's bytes, which are the reader's own. */
  readonly value: Buffer;
}

/** The final key as the file has it. JSON, as half a surrogate pair has no form in UTF-8. */
export function keyText(finalKey: string): string {
  return JSON.stringify(finalKey);
}

/** The bytes of a cache file. */
export function packEntry(finalKey: string, expiresAt: number, value: Uint8Array): Buffer {
  const text = keyText(finalKey);
  const keyLength = Buffer.byteLength(text);
  const file = Buffer.allocUnsafeSlow(HEAD_LENGTH + keyLength + value.length);
  MAGIC.copy(file);
  file.writeUInt32LE(keyLength, KEY_LENGTH_AT);
  file.writeDoubleLE(expiresAt, EXPIRY_AT);
  file.writeDoubleLE(keyLength + value.length, BODY_LENGTH_AT);
  file.write(text, HEAD_LENGTH);
  file.set(value, HEAD_LENGTH + keyLength);
  digestOf(file).copy(file, DIGEST_AT);
  return file;
}

/** The bytes of an expiry, to be written at {@link EXPIRY_AT}. */
export function packExpiry(expiresAt: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(expiresAt);
  return bytes;
}

/** How long a file that begins with `head` is as a whole; `undefined` if it is none of ours. */
export function fileLength(head: Buffer): number | undefined {
  if (head.length < HEAD_LENGTH || !head.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  return HEAD_LENGTH + head.readDoubleLE(BODY_LENGTH_AT);
}

/** Reads what {@link packEntry} wrote; `undefined` if `file` is not that, byte for byte. */
export function unpackEntry(file: Buffer): FileEntry | undefined {
  if (fileLength(file) !== file.length) return undefined;
  const valueAt = HEAD_LENGTH + file.readUInt32LE(KEY_LENGTH_AT);
  const expiresAt = file.readDoubleLE(EXPIRY_AT);
  if (valueAt > file.length || Number.isNaN(expiresAt)) return undefined;
  // A crash may leave a file of the right length that is filled with zeros, or half of them.
  if (!digestOf(file).equals(file.subarray(DIGEST_AT, HEAD_LENGTH))) return undefined;
  return {
    keyText: file.toString('utf8', HEAD_LENGTH, valueAt),
    expiresAt,
    value: file.subarray(valueAt),
  };
}

/** A placeholder behind which a value is being written, of which nobody knows before all is there. */
export function unpackGrowing(file: Buffer): FileEntry | undefined {
  const length = fileLength(file) ?? Number.POSITIVE_INFINITY;
  if (length > file.length) return undefined;
  const entry = unpackEntry(file.subarray(0, length));
  return entry !== undefined && isPlaceholder(entry.value) ? entry : undefined;
}

/** Of all but the expiry, which changes in place. */
function digestOf(file: Buffer): Buffer {
  return hash('sha1', file.subarray(HEAD_LENGTH), 'buffer');
}
