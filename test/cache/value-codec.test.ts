import { runInNewContext } from 'node:vm';
import { CacheValueError, type Serializer, ValueCodec } from 'cachewright';
import fc from 'fast-check';
import { runScript } from '../support/child';

const codec = new ValueCodec();

function roundTrip(value: unknown, by = codec): unknown {
  return by.decodeBytes(Buffer.from(by.encodeBytes(value, 'key')));
}

describe('values come back as they were (CONV-07)', () => {
  test.each<[string, unknown]>([
    ['null', null],
    ['a boolean', true],
    ['an integer', -7],
    ['a large integer', 2 ** 53],
    ['a fraction', 0.1],
    ['NaN', Number.NaN],
    ['Infinity', Number.NEGATIVE_INFINITY],
    ['a BigInt', 10n ** 40n],
    ['a small BigInt', -5n],
    ['a string', 'Iñtërnâtiônàlizætiøn 清 🦊 \u0000'],
    [
      'a long text after a byte order mark',
      [`\ufeff${'é'.repeat(90)}`, `\ufeff\ufeff${'a'.repeat(90)}`],
    ],
    ['such a text as the name in a Map', new Map([[`\ufeff${'é'.repeat(90)}`, 1]])],
    ...[60, 61, 62, 63, 64, 65].map((length): [string, unknown] => [
      `${length} letters after a mark`,
      `\ufeff${'a'.repeat(length)}`,
    ]),
    ['a date', new Date(1_700_000_000_123)],
    ['a regular expression', /a+b/giu],
    [
      'a Map',
      new Map<unknown, unknown>([
        ['a', 1],
        [2, new Map([[{ deep: true }, null]])],
      ]),
    ],
    ['an empty Map', new Map()],
    ['a Set', new Set([1, 'a', new Set([new Date(0)])])],
    ['a Set of Maps', new Set([new Map([['a', 1]])])],
    ['a Map in an object in a list', [{ map: new Map([[1, [new Map()]]]) }]],
    ['bytes within', { list: [Buffer.from('x'), new Uint8Array([1, 2])] }],
    ['undefined within', { a: undefined, list: [undefined, 1] }],
    ['keys of every kind', { '': 1, 'a b': 2, 清: 3, constructor: 4, toString: 5, '0': 6 }],
  ])('%s', (_name, value) => {
    expect(roundTrip(value)).toStrictEqual(value);
  });

  test('an object without prototype has one afterwards', () => {
    expect(roundTrip(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 });
  });

  test('an invalid date is one', () => {
    expect(Number(roundTrip(new Date(Number.NaN)))).toBeNaN();
  });

  test('typed arrays are of their kind', async () => {
    // In a process of its own: Jest gives tests arrays of another realm.
    const { stdout } = await runScript(`
      const { isDeepStrictEqual } = require('node:util');
      const codec = new cachewright.ValueCodec();
      const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9]).subarray(1);
      const value = [
        Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
        Float32Array, Float64Array, BigInt64Array, BigUint64Array,
      ].map((Kind) => new Kind(bytes.slice().buffer)).concat(bytes, bytes.slice().buffer);
      console.log(isDeepStrictEqual(codec.decodeBytes(codec.encodeBytes(value, 'key')), value));
    `);
    expect(stdout).toBe('true\n');
  });

  test('-0 is 0', () => {
    expect(roundTrip(-0)).toBe(0);
    expect(roundTrip([-0])).toEqual([0]);
  });

  test('whatever they are', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withUnicodeString: true,
    } as fc.ObjectConstraints);
    let kept = 0;
    fc.assert(
      fc.property(anything, (value) => {
        let found: unknown;
        try {
          found = roundTrip(value);
        } catch (error) {
          // Refused, rather than changed.
          expect(error).toBeInstanceOf(CacheValueError);
          return;
        }
        expect(comparable(found)).toEqual(comparable(value));
        kept += 1;
      }),
      { numRuns: 5000, seed: 1 },
    );
    expect(kept).toBeGreaterThan(3000);
  });
});

/** A copy with every -0 made a 0, as the codec does, and invalid dates in a form Jest compares. */
function comparable(value: unknown): unknown {
  if (typeof value === 'number') return value === 0 ? 0 : value;
  if (Array.isArray(value)) return Array.from(value, comparable);
  if (value instanceof Map) {
    return new Map([...value].map(([key, item]) => [comparable(key), comparable(item)]));
  }
  if (value instanceof Set) return new Set([...value].map(comparable));
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return value;
  if (value instanceof Date) return { at: Number(value) };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, comparable(item)]));
}

describe('what would not come back is refused, and the error tells where (CONV-07, API-36)', () => {
  class Secret {
    readonly #hidden = 1;
    reveal = () => this.#hidden;
  }
  const cycle: Record<string, unknown> = {};
  cycle.self = { again: cycle };
  const list: unknown[] = [];
  list.push(list);

  test.each<[string, unknown, string]>([
    ['undefined', undefined, 'undefined'],
    ['a function', () => 1, 'a function'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['a function within', { a: [{ render() {} }] }, 'value.a[0].render'],
    ['a symbol in a Map', new Map([['k', Symbol('s')]]), 'value.get("k")'],
    ['a function in a Set', new Set([() => 1]), 'value.values()'],
    ['a cycle', cycle, 'value.self.again'],
    ['a list in itself', list, 'value[0]'],
    ['a promise', { later: Promise.resolve(1) }, 'value.later'],
    ['a WeakMap', new WeakMap(), 'a WeakMap'],
    ['an Error', new Error('x'), 'a Error'],
    ['a string object', new String('x'), 'a String'],
    ['half a surrogate pair', { text: '\ud800' }, 'value.text'],
    ['a name of half a surrogate pair', { '\udc00': 1 }, 'property name'],
    ['a long name after a byte order mark', { [`\ufeff${'a'.repeat(90)}`]: 1 }, 'property name'],
    ['an own __proto__', JSON.parse('{"__proto__": {"isAdmin": true}}'), '__proto__'],
    ['a member named by a symbol', { [Symbol('s')]: 1 }, 'symbol'],
    ['an object with methods of its own', new Secret(), 'value.reveal'],
    ['a view of mixed bytes', new DataView(new ArrayBuffer(2)), 'a DataView'],
  ])('%s', (_name, value, where) => {
    expect(() => codec.encode(value, 'the key')).toThrow(CacheValueError);
    expect(() => codec.encode(value, 'the key')).toThrow(where);
    try {
      codec.encode(value, 'the key');
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_CACHE_VALUE', key: 'the key' });
      expect((error as Error).message).toContain('"the key"');
    }
  });

  test('values nested too deep to walk', () => {
    let value: unknown = 1;
    for (let depth = 0; depth < 100_000; depth++) value = [value];
    expect(() => codec.encode(value, 'key')).toThrow(CacheValueError);
  });
});

describe('other objects', () => {
  test('are asked for their toJSON()', () => {
    const url = new URL('https://example.com/a?b=1');
    const point = { toJSON: undefined, x: 1 };
    class Money {
      constructor(readonly cents: number) {}
      toJSON() {
        return { cents: this.cents, at: new Date(5) };
      }
    }
    expect(roundTrip({ url })).toEqual({ url: url.href });
    expect(roundTrip([new Money(5)])).toEqual([{ cents: 5, at: new Date(5) }]);
    expect(roundTrip(new Map([['price', new Money(5)]]))).toEqual(
      new Map([['price', { cents: 5, at: new Date(5) }]]),
    );
    expect(roundTrip(new Set([new Money(5)]))).toEqual(new Set([{ cents: 5, at: new Date(5) }]));
    expect(roundTrip(point)).toStrictEqual(point);
  });

  test('else give their own properties', () => {
    class Point {
      x = 1;
      y = { z: 2 };
    }
    expect(roundTrip(new Point())).toStrictEqual({ x: 1, y: { z: 2 } });
  });
});

describe('objects of another realm', () => {
  test.each(['new Date(5)', '/a/', 'new Float64Array(2)', 'new Map()', 'new Set()'])(
    'are refused where they would be changed: %s',
    (code) => {
      expect(() => codec.encode({ a: runInNewContext(code) }, 'key')).toThrow(CacheValueError);
    },
  );

  test('come back as they were if they are plain', () => {
    expect(roundTrip(runInNewContext('({ a: [1, { b: null }] })'))).toEqual({
      a: [1, { b: null }],
    });
  });
});

describe('stored bytes', () => {
  test('of safe integers are their digits, so that a server can count on them', () => {
    for (const integer of [0, 7, -7, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
      expect(codec.encode(integer, 'key')).toBe(integer);
      expect(String(codec.encodeBytes(integer, 'key'))).toBe(String(integer));
    }
    expect(codec.decodeBytes(Buffer.from('43'))).toBe(43);
  });

  test('of Buffers are the bytes after a tag, and are not copied to be read', () => {
    const stored = codec.encodeBytes(Buffer.from('body'), 'key');
    expect(String(stored.subarray(1))).toBe('body');
    expect((codec.decodeBytes(stored) as Buffer).buffer).toBe(stored.buffer);
  });

  test.each([
    ['none', ''],
    ['an unknown tag', '\x09abc'],
    ['digits and more', '12x'],
    ['a lone sign', '-'],
    ['an integer out of bounds', '9007199254740993'],
    ['half a MessagePack', '\x02\x92\x01'],
    ['MessagePack and more', '\x02\x01\x01'],
  ])('that nobody wrote are an error, not a value: %s', (_name, bytes) => {
    expect(() => codec.decodeBytes(Buffer.from(bytes, 'latin1'))).toThrow();
  });

  test('that look like a prototype change none', () => {
    // {"__proto__": {"isAdmin": true}} in MessagePack.
    const evil = Buffer.concat([
      Buffer.from([2, 0x81, 0xa9]),
      Buffer.from('__proto__'),
      Buffer.from([0x81, 0xa7]),
      Buffer.from('isAdmin'),
      Buffer.from([0xc3]),
    ]);
    const found = codec.decodeBytes(evil) as { isAdmin?: boolean };
    expect(found.isAdmin).toBeUndefined();
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    expect(Object.getPrototypeOf(found)).toBe(Object.prototype);
  });
});

describe('JSON by option', () => {
  const json = new ValueCodec('json');

  test('writes text that other programs can read', () => {
    const bytes = json.encodeBytes({ a: [1, null, 'x'] }, 'key');
    expect(String(bytes.subarray(1))).toBe('{"a":[1,null,"x"]}');
    expect(roundTrip({ a: [1, null, 'x'] }, json)).toEqual({ a: [1, null, 'x'] });
    expect(roundTrip(Buffer.from('x'), json)).toEqual(Buffer.from('x'));
    expect(roundTrip(5, json)).toBe(5);
  });

  test.each<[string, unknown]>([
    ['a date', { at: new Date() }],
    ['a Map', [new Map()]],
    ['a Set', new Set()],
    ['undefined within', { a: undefined }],
    ['NaN', Number.NaN],
    ['a BigInt', 1n],
    ['bytes within', [Buffer.from('x')]],
  ])('refuses what JSON would change: %s', (_name, value) => {
    expect(() => json.encode(value, 'key')).toThrow(CacheValueError);
    expect(() => json.encode(value, 'key')).toThrow('as JSON');
  });
});

describe("a serializer of the user's own", () => {
  const seen: unknown[] = [];
  const serializer: Serializer = {
    dump(value) {
      seen.push(value);
      return Buffer.from(`!${JSON.stringify(value)}`);
    },
    load: (bytes) => JSON.parse(Buffer.from(bytes).toString().slice(1)),
  };
  const own = new ValueCodec(serializer);

  test('sees every value, integers included, and writes all that is stored', () => {
    expect(String(own.encodeBytes(5, 'key'))).toBe('!5');
    expect(seen).toEqual([5]);
    expect(roundTrip(5, own)).toBe(5);
    expect(roundTrip({ a: 1 }, own)).toEqual({ a: 1 });
  });

  test('never sees undefined, which would be read as a miss (CONV-03)', () => {
    seen.length = 0;
    expect(() => own.encode(undefined, 'key')).toThrow(CacheValueError);
    expect(seen).toEqual([]);
  });

  test('may fail, and the error names key and cause', () => {
    const cause = new Error('no disk');
    const failing = new ValueCodec({
      dump() {
        throw cause;
      },
      load: () => 1,
    });
    try {
      failing.encode(1, 'the key');
      throw new Error('not refused');
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_CACHE_VALUE', key: 'the key', cause });
      expect((error as Error).message).toMatch(/"the key".*no disk/);
    }
  });

  test('may use its buffer again', () => {
    const scratch = Buffer.alloc(1);
    const reusing = new ValueCodec({
      dump(value) {
        scratch[0] = value as number;
        return scratch;
      },
      load: (bytes) => bytes[0],
    });
    const one = reusing.encode(1, 'key');
    reusing.encode(2, 'key');
    expect(reusing.decode(one)).toBe(1);
  });

  test.each(['pickle', {}, { dump: () => Buffer.alloc(0) }, null])('%p is none', (notOne) => {
    const serializer = notOne as unknown as Serializer;
    expect(() => new ValueCodec(serializer)).toThrow(TypeError);
    expect(() => new ValueCodec(serializer)).toThrow('options.serializer');
  });
});

describe('what is checked is what is stored (F7)', () => {
  const codecs: [string, ValueCodec][] = [
    ['msgpack', codec],
    ['json', new ValueCodec('json')],
  ];
  /** A property whose first value can be stored, and whose later ones cannot. */
  function turning(holder: object, name: string, first: unknown = 1) {
    const reads = { count: 0 };
    const get = () => {
      reads.count += 1;
      return reads.count === 1 ? first : () => 'code';
    };
    return { holder: Object.defineProperty(holder, name, { get, enumerable: true }), reads };
  }

  test.each(codecs)('%s reads each property once', (_name, by) => {
    for (const holder of [{ a: 0, m: [1] }, [0], new (class Poll {})()]) {
      const name = Array.isArray(holder) ? '1' : 'b';
      const expected = Array.isArray(holder) ? [0, 1] : { ...holder, b: 1 };
      const { holder: value, reads } = turning(holder, name);
      expect(roundTrip({ within: [value] }, by)).toEqual({ within: [expected] });
      expect(reads.count).toBe(1);
    }
  });

  test.each(codecs)('%s reads what a getter returns once, too', (_name, by) => {
    const { holder: inner, reads } = turning({}, 'x');
    const value = turning({}, 'y', inner);
    expect(roundTrip(value.holder, by)).toEqual({ y: { x: 1 } });
    expect([reads.count, value.reads.count]).toEqual([1, 1]);
  });

  test.each(codecs)('%s asks a proxy once', (_name, by) => {
    let reads = 0;
    const get = (target: object, name: string) =>
      name === 'a' ? (++reads === 1 ? 'first' : () => 'code') : Reflect.get(target, name);
    const value = new Proxy({ a: 1 }, { get: get as never });
    expect(roundTrip({ list: [value] }, by)).toEqual({ list: [{ a: 'first' }] });
    expect(reads).toBe(1);
  });

  test('also in Maps and Sets', () => {
    const inMap = turning({}, 'x');
    const inSet = turning({}, 'x');
    const value = new Map<string, unknown>([
      ['a', inMap.holder],
      ['b', new Set([inSet.holder])],
    ]);
    expect(roundTrip(value)).toEqual(
      new Map<string, unknown>([
        ['a', { x: 1 }],
        ['b', new Set([{ x: 1 }])],
      ]),
    );
    expect([inMap.reads.count, inSet.reads.count]).toEqual([1, 1]);
  });

  test.each(codecs)('%s leaves the value alone', (_name, by) => {
    const value = Object.freeze({ a: Object.freeze([Object.freeze({ b: 1 })]), c: null });
    expect(roundTrip(value, by)).toEqual(value);
  });
});
