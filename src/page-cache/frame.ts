import { crc32 } from 'node:zlib';
import type { Counters } from '../cache/tags';
import { isFieldText } from '../http/header-value';
import { isToken } from '../http/token';
import type { FieldList, ResponseParts } from './stored-response';

/** What a frame holds; see `PageRecord`. */
export interface FrameParts {
  readonly key: string;
  readonly url: string;
  readonly variant: string;
  /** Names of the URL's inputs, sorted. */
  readonly inputs: readonly string[];
  readonly response: ResponseParts | undefined;
  readonly expiresAt: number;
  readonly generation: number;
  readonly counters: Counters;
}

/**
 * The bytes of a page record, one frame:
 *
 * | offset | bytes | what |
 * |--|--|--|
 * | 0 | 4 | magic `CWPG` |
 * | 4 | 1 | version of this layout |
 * | 5 | 1 | flags, see below |
 * | 6 | 2 | status |
 * | 8 | 8 | generation, as a double |
 * | 16 | 8 | when the record expires, epoch ms, as a double |
 * | 24 | 8 | when the response was stored |
 * | 32 | 8 | when it becomes stale |
 * | 40 | 8 | from when its age counts, epoch seconds; NaN: it has none |
 * | 48 | 4 | `stale-while-revalidate` |
 * | 52 | 4 | `stale-if-error` |
 * | 56 | 4 | length of the text |
 * | 60 | 4 | length of the body |
 * | 64 | 4 | CRC-32 of all the rest |
 * | 68 | | text: key, URL, variant, inputs, counters, extras, reason, then names and values, one a line, UTF-8 |
 * | | | body |
 */
const HEAD_LENGTH = 68;
const CRC_OFFSET = 64;
const MAGIC = 0x43575047;
const VERSION = 3;

const HAS_RESPONSE = 1;
const MUST_REVALIDATE = 2;
const ALWAYS_VALIDATE = 4;

const CONTENT_LENGTH = 'content-length';

/** Lines of the text that stand before the header fields; the reason is the last of them. */
const FIXED_LINES = 7;
const EXTRAS_LINE = 5;
const REASON_LINE = FIXED_LINES - 1;

export function encodeFrame({
  key,
  url,
  variant,
  inputs,
  response,
  expiresAt,
  generation,
  counters,
}: FrameParts): Buffer {
  const tags = JSON.stringify([...counters]);
  const lines = [
    key,
    url,
    variant,
    inputs.join(','),
    tags,
    extrasOf(response),
    response?.reason ?? '',
  ];
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
  frame.writeUInt8(response === undefined ? 0 : flagsOf(response), 5);
  frame.writeUInt16BE(response?.status ?? 0, 6);
  frame.writeDoubleBE(generation, 8);
  frame.writeDoubleBE(expiresAt, 16);
  frame.writeDoubleBE(response?.storedAt ?? 0, 24);
  frame.writeDoubleBE(response?.staleAt ?? 0, 32);
  frame.writeDoubleBE(response?.ageFrom ?? Number.NaN, 40);
  frame.writeUInt32BE(response?.staleWhileRevalidate ?? 0, 48);
  frame.writeUInt32BE(response?.staleIfError ?? 0, 52);
  frame.writeUInt32BE(text.length, 56);
  frame.writeUInt32BE(body.length, 60);
  frame.set(text, HEAD_LENGTH);
  frame.set(body, HEAD_LENGTH + text.length);
  frame.writeUInt32BE(checksum(frame), CRC_OFFSET);
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
  const bodyStart = HEAD_LENGTH + frame.readUInt32BE(56);
  if (bodyStart + frame.readUInt32BE(60) !== frame.length) return undefined;
  if (checksum(frame) !== frame.readUInt32BE(CRC_OFFSET)) return undefined;
  const lines = frame.toString('utf8', HEAD_LENGTH, bodyStart).split('\n');
  if (lines.length < FIXED_LINES || (lines.length - FIXED_LINES) % 2 !== 0) return undefined;
  const [key, url, variant, names, tags] = lines as [string, string, string, string, string];
  const counters = countersOf(tags);
  if (counters === undefined) return undefined;
  const extras = extrasIn(lines[EXTRAS_LINE]!);
  if (extras === undefined) return undefined;
  const response = responseOf(frame, lines, extras, bodyStart);
  // Sending it would throw, or put the connection out of step.
  if (response !== undefined && !isSendable(response)) return undefined;
  return {
    key,
    url,
    variant,
    inputs: names === '' ? [] : names.split(','),
    generation: frame.readDoubleBE(8),
    expiresAt: frame.readDoubleBE(16),
    counters,
    response,
  };
}

function countersOf(tags: string): Counters | undefined {
  try {
    const pairs: unknown = JSON.parse(tags);
    const arePairs =
      Array.isArray(pairs) &&
      pairs.every(
        (pair) => Array.isArray(pair) && typeof pair[0] === 'string' && typeof pair[1] === 'number',
      );
    return arePairs ? new Map(pairs as [string, number][]) : undefined;
  } catch {
    return undefined;
  }
}

/** What few responses have, besides their fields. */
type Extras = Pick<ResponseParts, 'added' | 'removed' | 'privacy'>;

const NO_EXTRAS: Extras = { added: [], removed: [], privacy: undefined };

function extrasOf(response: ResponseParts | undefined): string {
  if (response === undefined) return '';
  const { added, removed, privacy } = response;
  const isPlain = added.length === 0 && removed.length === 0 && privacy === undefined;
  return isPlain ? '' : JSON.stringify([added, removed, privacy ?? null]);
}

function extrasIn(line: string): Extras | undefined {
  if (line === '') return NO_EXTRAS;
  try {
    const [added, removed, privacy] = JSON.parse(line) as unknown[];
    const areTexts = (list: unknown): list is string[] =>
      Array.isArray(list) && list.every((item) => typeof item === 'string' && isFieldText(item));
    const areLines = (list: unknown): list is FieldList =>
      Array.isArray(list) && list.every((item) => areTexts(item) || areTexts([item]));
    if (!areLines(added) || !areTexts(removed) || added.length % 2 !== 0) return undefined;
    if (
      ![...removed, ...added.filter((_, i) => i % 2 === 0)].every((name) => isToken(String(name)))
    ) {
      return undefined;
    }
    if (privacy !== null && !areTexts(privacy)) return undefined;
    return { added, removed, privacy: privacy ?? undefined };
  } catch {
    return undefined;
  }
}

function responseOf(
  frame: Buffer,
  lines: readonly string[],
  extras: Extras,
  bodyStart: number,
): ResponseParts | undefined {
  const flags = frame.readUInt8(5);
  if ((flags & HAS_RESPONSE) === 0) return undefined;
  const ageFrom = frame.readDoubleBE(40);
  return {
    status: frame.readUInt16BE(6),
    reason: lines[REASON_LINE] ?? '',
    fields: fieldsOf(lines),
    ...extras,
    body: frame.subarray(bodyStart),
    storedAt: frame.readDoubleBE(24),
    staleAt: frame.readDoubleBE(32),
    ageFrom: Number.isNaN(ageFrom) ? undefined : ageFrom,
    staleWhileRevalidate: frame.readUInt32BE(48),
    staleIfError: frame.readUInt32BE(52),
    mustRevalidate: (flags & MUST_REVALIDATE) !== 0,
    alwaysValidate: (flags & ALWAYS_VALIDATE) !== 0,
  };
}

function isSendable({ status, reason, fields, body }: ResponseParts): boolean {
  if (status < 200 || status > 599 || !isFieldText(reason)) return false;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1]!;
    const isText = typeof value === 'string' ? isFieldText(value) : value.every(isFieldText);
    if (!isText || !isToken(name)) return false;
    // An entry for HEAD has the length, and no body.
    if (body.length === 0 || name.length !== CONTENT_LENGTH.length) continue;
    if (name.toLowerCase() === CONTENT_LENGTH && value !== String(body.length)) return false;
  }
  return true;
}

function flagsOf({ mustRevalidate, alwaysValidate }: ResponseParts): number {
  return (
    HAS_RESPONSE | (mustRevalidate ? MUST_REVALIDATE : 0) | (alwaysValidate ? ALWAYS_VALIDATE : 0)
  );
}

/** Of everything but the checksum itself. */
function checksum(frame: Buffer): number {
  return crc32(frame.subarray(HEAD_LENGTH), crc32(frame.subarray(0, CRC_OFFSET)));
}

function fieldsOf(lines: readonly string[]): FieldList {
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
