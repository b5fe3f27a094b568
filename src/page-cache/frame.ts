import { crc32 } from 'node:zlib';
import { isFieldText } from '../http/header-value';
import { isToken } from '../http/token';
import type { FieldList, ResponseParts } from './stored-response';

/** What a frame holds; see `PageRecord`. */
export interface FrameParts {
  readonly key: string;
  readonly url: string;
  readonly variant: string;
  readonly vary: readonly string[];
  readonly response: ResponseParts | undefined;
  readonly expiresAt: number;
}

/**
 * The bytes of a page record, one frame:
 *
 * | offset | bytes | what |
 * |--|--|--|
 * | 0 | 4 | magic `CWPG` |
 * | 4 | 1 | version of this layout |
 * | 5 | 1 | 1 if the record holds a response |
 * | 6 | 2 | status |
 * | 8 | 8 | when it was stored, epoch ms, as a double |
 * | 16 | 8 | when the response becomes stale |
 * | 24 | 8 | when the record expires |
 * | 32 | 4 | length of the text |
 * | 36 | 4 | length of the body |
 * | 40 | 4 | CRC-32 of everything else |
 * | 44 | | text: key, URL, variant, vary list, reason, then names and values, one a line, UTF-8 |
 * | | | body |
 */
const HEAD_LENGTH = 44;
const CHECKSUM_OFFSET = 40;
const MAGIC = 0x43575047;
const VERSION = 1;

const CONTENT_LENGTH = 'content-length';

/** Lines of the text that stand before the header fields. */
const FIXED_LINES = 5;

export function encodeFrame({ key, url, variant, vary, response, expiresAt }: FrameParts): Buffer {
  const lines = [key, url, variant, vary.join(','), response?.reason ?? ''];
  if (response !== undefined) {
    const { fields } = response;
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i] as string;
      const value = fields[i + 1]!;
      if (typeof value === 'string') lines.push(name, value);
      else for (const item of value) lines.push(name, item);
    }
  }
  const text = Buffer.from(lines.join('\n'));
  const body = response?.body ?? Buffer.alloc(0);
  const frame = Buffer.allocUnsafeSlow(HEAD_LENGTH + text.length + body.length);
  frame.writeUInt32BE(MAGIC, 0);
  frame.writeUInt8(VERSION, 4);
  frame.writeUInt8(response === undefined ? 0 : 1, 5);
  frame.writeUInt16BE(response?.status ?? 0, 6);
  frame.writeDoubleBE(response?.storedAt ?? 0, 8);
  frame.writeDoubleBE(response?.staleAt ?? 0, 16);
  frame.writeDoubleBE(expiresAt, 24);
  frame.writeUInt32BE(text.length, 32);
  frame.writeUInt32BE(body.length, 36);
  frame.set(text, HEAD_LENGTH);
  frame.set(body, HEAD_LENGTH + text.length);
  frame.writeUInt32BE(checksum(frame), CHECKSUM_OFFSET);
  return frame;
}

/**
 * What a frame holds, the body a view of `bytes`. `undefined` if the bytes are anything else
 * than a whole frame of this version: foreign, truncated, damaged.
 */
export function decodeFrame(bytes: Uint8Array): FrameParts | undefined {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (frame.length < HEAD_LENGTH || frame.readUInt32BE(0) !== MAGIC) return undefined;
  if (frame.readUInt8(4) !== VERSION) return undefined;
  const bodyStart = HEAD_LENGTH + frame.readUInt32BE(32);
  if (bodyStart + frame.readUInt32BE(36) !== frame.length) return undefined;
  if (checksum(frame) !== frame.readUInt32BE(CHECKSUM_OFFSET)) return undefined;
  const lines = frame.toString('utf8', HEAD_LENGTH, bodyStart).split('\n');
  if (lines.length < FIXED_LINES || (lines.length - FIXED_LINES) % 2 !== 0) return undefined;
  const [key, url, variant, vary, reason] = lines as [string, string, string, string, string];
  const hasResponse = frame.readUInt8(5) === 1;
  const status = frame.readUInt16BE(6);
  const fields = fieldsOf(lines);
  // Sending it would throw, or put the connection out of step.
  if (hasResponse && !isSendable(status, reason, fields, frame.length - bodyStart)) {
    return undefined;
  }
  return {
    key,
    url,
    variant,
    vary: vary === '' ? [] : vary.split(','),
    expiresAt: frame.readDoubleBE(24),
    response: hasResponse
      ? {
          status,
          reason,
          fields,
          body: frame.subarray(bodyStart),
          storedAt: frame.readDoubleBE(8),
          staleAt: frame.readDoubleBE(16),
        }
      : undefined,
  };
}

function checksum(frame: Buffer): number {
  return crc32(frame.subarray(HEAD_LENGTH), crc32(frame.subarray(0, CHECKSUM_OFFSET)));
}

function isSendable(
  status: number,
  reason: string,
  fields: FieldList,
  bodyLength: number,
): boolean {
  if (status < 200 || status > 599 || !isFieldText(reason)) return false;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1]!;
    const isText = typeof value === 'string' ? isFieldText(value) : value.every(isFieldText);
    if (!isText || !isToken(name)) return false;
    // An entry for HEAD has the length, and no body.
    if (bodyLength === 0 || name.length !== CONTENT_LENGTH.length) continue;
    if (name.toLowerCase() === CONTENT_LENGTH && value !== String(bodyLength)) return false;
  }
  return true;
}

function fieldsOf(lines: readonly string[]): (string | string[])[] {
  const fields: (string | string[])[] = [];
  for (let i = FIXED_LINES; i + 1 < lines.length; i += 2) {
    const name = lines[i]!;
    const value = lines[i + 1]!;
    // Values of one field were written one after the other.
    if (fields.length > 0 && fields.at(-2) === name) {
      const earlier = fields.at(-1)!;
      if (typeof earlier === 'string') fields[fields.length - 1] = [earlier, value];
      else earlier.push(value);
    } else {
      fields.push(name, value);
    }
  }
  return fields;
}
