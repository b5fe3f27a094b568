import { type Serializer, ValueCodec } from 'cachewright';
import {
  Envelope,
  isEnvelope,
  isPlaceholder,
  newHead,
  unpackEnvelope,
} from '../../src/cache/envelope';

const counters = new Map([
  ['t.product_42', 65_536 * 7 + 1],
  ['h.0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33', 2 ** 52],
]);

/** Writes what it is given. */
const raw: Serializer = {
  dump: (value) => value as Buffer,
  load: (bytes) => Buffer.from(bytes),
};

test.each(['msgpack', 'json', raw])(
  'what is in an envelope comes back with its counters: %p',
  (serializer) => {
    const codec = new ValueCodec(serializer);
    const value = serializer === raw ? Buffer.from('bytes') : { list: [1] };
    const head = newHead();
    const bytes = codec.encodeBytes(new Envelope(head, { value, counters }), 'key');
    expect(isEnvelope(bytes)).toBe(true);
    expect(isPlaceholder(bytes)).toBe(false);
    for (const read of [codec.decodeBytes(bytes), codec.decode(bytes)]) {
      expect(read).toEqual(new Envelope(head, { value, counters }));
    }
  },
);

test('an integer in an envelope is one again', () => {
  const codec = new ValueCodec();
  const envelope = new Envelope(newHead(), { value: 42, counters });
  expect(codec.decodeBytes(codec.encodeBytes(envelope, 'key'))).toEqual(envelope);
});

test('a placeholder is its head alone', () => {
  const codec = new ValueCodec();
  const head = newHead();
  const bytes = codec.encodeBytes(new Envelope(head), 'key');
  expect(bytes).toEqual(head);
  expect(isPlaceholder(bytes)).toBe(true);
  expect(codec.decodeBytes(bytes)).toEqual(new Envelope(head));
});

test('no two heads are alike', () => {
  expect(newHead().equals(newHead())).toBe(false);
});

test.each([1, -1, 'text', null, Buffer.from([0xc1, 0x43, 0x57, 0x54, 1, 0, 0]), { c: 1 }])(
  '%p without tags has no envelope',
  (value) => {
    for (const serializer of ['msgpack', 'json'] as const) {
      const bytes = new ValueCodec(serializer).encodeBytes(value, 'key');
      expect(isEnvelope(bytes)).toBe(false);
      expect(bytes[0]).not.toBe(0xc1);
    }
  },
);

test('bytes of a serializer that look like an envelope get one of their own', () => {
  const codec = new ValueCodec(raw);
  for (const lookalike of [newHead(), Buffer.concat([newHead(), Buffer.from('rest')])]) {
    const read = codec.decodeBytes(codec.encodeBytes(lookalike, 'key'));
    expect(read).toMatchObject({ content: { value: lookalike, counters: new Map() } });
  }
});

test('an envelope that is cut off, or whose tags are none, cannot be read', () => {
  const codec = new ValueCodec();
  const head = newHead();
  const bytes = codec.encodeBytes(new Envelope(head, { value: 'text', counters }), 'key');
  for (let length = 5; length < bytes.length - 5; length += 1) {
    if (length !== head.length)
      expect(() => codec.decodeBytes(bytes.subarray(0, length))).toThrow();
  }
  const bad = codec.encodeBytes(
    new Envelope(head, { value: 1, counters: new Map([['a key\r\n', 1]]) }),
    'key',
  );
  expect(() => codec.decodeBytes(bad)).toThrow('are no tags');
});

test('its head does not keep the value alive', () => {
  const bytes = Buffer.concat([newHead(), Buffer.alloc(1_000_000)]);
  expect(unpackEnvelope(bytes).head.buffer.byteLength).toBeLessThan(100_000);
});

test('a value that cannot be stored is refused in an envelope, too', () => {
  const envelope = new Envelope(newHead(), { value: () => {}, counters });
  expect(() => new ValueCodec().encodeBytes(envelope, 'key')).toThrow(/"key" was not stored/);
});
