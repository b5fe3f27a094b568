import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { decodeFrame, encodeFrame, type FrameParts } from '../../src/page-cache/frame';
import { PageRecord } from '../../src/page-cache/page-record';
import { StoredResponse } from '../../src/page-cache/stored-response';

const PARTS: FrameParts = {
  key: 'views.decorators.cache.cache_page..GET.0.1',
  url: 'http://www.example.com/page',
  variant: '6:cookie3:a=1',
  inputs: ['@locals.user', 'accept', 'cookie'],
  expiresAt: Date.UTC(2026, 0, 2),
  generation: 123_456_789,
  counters: new Map([
    ['all', 17],
    ['t.product-42', 2 ** 52],
  ]),
  response: {
    status: 200,
    reason: 'Fine',
    fields: ['Content-Type', 'text/html', 'Set-Cookie', ['a=1', 'b=2'], 'X-Empty', ''],
    added: ['link', ['</a>', '</b>']],
    removed: ['x-frame-options'],
    privacy: ['cookie'],
    body: Buffer.from('<p>Grüße</p>'),
    storedAt: Date.UTC(2026, 0, 1),
    staleAt: Date.UTC(2026, 0, 2),
    ageFrom: 1_767_225_600,
    staleWhileRevalidate: 60,
    staleIfError: 3600,
    mustRevalidate: false,
    alwaysValidate: true,
  },
};

const NO_LINE_END = /^[^\n]*$/;
const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((s) => NO_LINE_END.test(s));
const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,9}$/);
const value = fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,20}$/);
const fields = fc
  .uniqueArray(fc.tuple(token, fc.oneof(value, fc.array(value, { minLength: 2, maxLength: 4 }))), {
    selector: ([name]) => name.toLowerCase(),
    maxLength: 8,
  })
  .map((pairs) => pairs.flat(1) as (string | string[])[]);
const response = fc.record({
  status: fc.integer({ min: 200, max: 599 }),
  reason: value,
  fields,
  added: fields,
  removed: fc.array(token),
  privacy: fc.option(fc.array(token), { nil: undefined }),
  body: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  storedAt: fc.double({ noNaN: true }),
  staleAt: fc.double({ noNaN: true }),
  ageFrom: fc.option(fc.double({ noNaN: true }), { nil: undefined }),
  staleWhileRevalidate: fc.nat(),
  staleIfError: fc.nat(),
  mustRevalidate: fc.boolean(),
  alwaysValidate: fc.boolean(),
});
const parts: fc.Arbitrary<FrameParts> = fc.record({
  key: text,
  url: text,
  variant: text,
  inputs: fc.array(token),
  expiresAt: fc.double({ noNaN: true }),
  generation: fc.double({ noNaN: true }),
  counters: fc
    .array(fc.tuple(text, fc.maxSafeInteger()))
    .map((pairs): ReadonlyMap<string, number> => new Map(pairs)),
  response: fc.option(response, { nil: undefined }),
});

/** The frame with `change` done to it, and a checksum that fits again. */
function forged(change: (frame: Buffer) => void): Buffer {
  const frame = encodeFrame(PARTS);
  change(frame);
  frame.writeUInt32BE(crc32(frame.subarray(68), crc32(frame.subarray(0, 64))), 64);
  return frame;
}

const withResponse = (change: object): FrameParts => ({
  ...PARTS,
  response: { ...PARTS.response!, ...change },
});

test('what was written is read', () => {
  expect(decodeFrame(encodeFrame(PARTS))).toEqual(PARTS);
  const listOnly = { ...PARTS, response: undefined };
  expect(decodeFrame(encodeFrame(listOnly))).toEqual(listOnly);
});

test('whatever was written is read', () => {
  fc.assert(
    fc.property(parts, (some) => expect(decodeFrame(encodeFrame(some))).toEqual(some)),
    { numRuns: 500 },
  );
});

test('reading takes any bytes without an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(decodeFrame(bytes)).toBeUndefined();
      expect(PageRecord.from(bytes)).toBeUndefined();
    }),
  );
});

test('reading takes any bytes behind a right beginning and checksum without an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 68, maxLength: 250 }), fc.nat(), (bytes, cut) => {
      const frame = Buffer.from(bytes);
      frame.set(encodeFrame(PARTS).subarray(0, 5));
      const textLength = cut % (frame.length - 67);
      frame.writeUInt32BE(textLength, 56);
      frame.writeUInt32BE(frame.length - 68 - textLength, 60);
      frame.writeUInt32BE(crc32(frame.subarray(68), crc32(frame.subarray(0, 64))), 64);
      const record = PageRecord.from(frame);
      // At most a record that names itself, so that nobody's key and URL fit.
      if (record !== undefined) expect(record.url).not.toBe(PARTS.url);
    }),
    { numRuns: 1000 },
  );
});

test('no frame is read with a bit flipped', () => {
  const frame = encodeFrame(PARTS);
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const mask = 1 << (bit % 8);
    frame[bit >> 3]! ^= mask;
    expect(decodeFrame(frame)).toBeUndefined();
    frame[bit >> 3]! ^= mask;
  }
  expect(decodeFrame(frame)).toEqual(PARTS);
});

test('no frame is read with bytes missing or to spare', () => {
  const frame = encodeFrame(PARTS);
  for (let length = 0; length < frame.length; length++) {
    expect(decodeFrame(frame.subarray(0, length))).toBeUndefined();
    expect(decodeFrame(frame.subarray(frame.length - length))).toBeUndefined();
  }
  expect(decodeFrame(Buffer.concat([frame, Buffer.alloc(1)]))).toBeUndefined();
  expect(decodeFrame(Buffer.concat([frame, frame]))).toBeUndefined();
});

test.each([
  ['another magic', (frame: Buffer) => frame.write('CWPX', 0)],
  ['another version', (frame: Buffer) => frame.writeUInt8(1, 4)],
  ['a text of four gigabytes', (frame: Buffer) => frame.writeUInt32BE(0xffffffff, 56)],
  ['a body of four gigabytes', (frame: Buffer) => frame.writeUInt32BE(0xffffffff, 60)],
  ['a body a byte short', (frame: Buffer) => frame.writeUInt32BE(frame.readUInt32BE(60) - 1, 60)],
])('a frame with %s is not read, though its checksum fits', (_what, change) => {
  const frame = forged(change);
  const { arrayBuffers } = process.memoryUsage();
  expect(decodeFrame(frame)).toBeUndefined();
  expect(process.memoryUsage().arrayBuffers - arrayBuffers).toBeLessThan(2 ** 20);
});

test.each([
  ['a line end in a value', { fields: ['X-A', 'a\rSet-Cookie: evil=1'] }],
  ['a line end in a value that shifts what follows', { fields: ['X-A', 'a\nb'] }],
  ['a NUL in a value', { fields: ['X-A', ['a', 'b\0']] }],
  ['a value no header can hold', { fields: ['X-A', '\u0100'] }],
  ['a name that is none', { fields: ['X A', 'a'] }],
  ['an empty name', { fields: ['', 'a'] }],
  ['a line end in the reason', { reason: 'OK\r' }],
  ['a length that is not that of the body', { fields: ['content-Length', '7'] }],
  ['two lengths', { fields: ['Content-Length', ['14', '14']] }],
  ['the status 0', { status: 0 }],
  ['the status 101', { status: 101 }],
  ['the status 999', { status: 999 }],
  ['the status 65535', { status: 65535 }],
])('a frame with %s is not read', (_what, change) => {
  expect(decodeFrame(encodeFrame(withResponse(change)))).toBeUndefined();
});

test('a page record knows its size, and comes back from its bytes', () => {
  const { key, url, variant, inputs, expiresAt, generation, counters } = PARTS;
  const stored = new StoredResponse(PARTS.response!);
  const record = new PageRecord(key, url, variant, inputs, stored, expiresAt, generation, counters);
  expect(record.byteLength).toBeGreaterThanOrEqual(stored.body.length);
  expect(PageRecord.from(record.toBytes())?.response?.fields).toEqual(PARTS.response!.fields);
});
