import type { BaseCache } from 'cachewright';
import type { ContractContext } from './context';

/** What can be stored, and how it is read. */
export function describeValues(context: ContractContext): void {
  describe('values', () => {
    let cache: BaseCache;
    beforeEach(() => {
      cache = context.cache();
    });

    const bytes = Buffer.from([0, 1, 2, 13, 10, 127, 128, 255]);
    const values: [string, unknown][] = [
      ['null', null],
      ['true', true],
      ['false', false],
      ['an integer', 42],
      ['a negative integer', -42],
      ['the largest safe integer', Number.MAX_SAFE_INTEGER],
      ['the smallest safe integer', Number.MIN_SAFE_INTEGER],
      ['a number beyond the safe integers', 2 ** 60],
      ['a fraction', 1.5],
      ['a tiny number', Number.MIN_VALUE],
      ['a string', 'this is a string'],
      ['an empty string', ''],
      ['a string of digits', '123'],
      ['a string in many scripts', 'Iñtërnâtiônàlizætiøn ё 清酒 🦊 \u0000'],
      ['a long string', 'äö'.repeat(50_000)],
      ['a list', [1, 2, [3, 'four', null]]],
      ['an object', { a: 'x', b: { c: [1, true, null] }, 'key with spaces': '', ключ: '清' }],
      ['an empty object', {}],
      [
        'an object with many members',
        Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i])),
      ],
    ];

    test.each(values)(
      '%s is read as it was, by set(), add() and setMany() (CONV-07, API-35)',
      async (_name, value) => {
        await cache.set('set', value);
        await cache.add('added', value);
        await cache.setMany({ many: value });
        expect(await cache.get('set')).toStrictEqual(value);
        expect(await cache.get('added')).toStrictEqual(value);
        expect(await cache.getMany(['many'])).toEqual({ many: value });
      },
    );

    test('a string of digits and the number stay two things (API-35)', async () => {
      await cache.setMany({ text: '123', number: 123 });
      expect(await cache.getMany(['text', 'number'])).toEqual({ text: '123', number: 123 });
    });

    test.each([
      ['raw bytes', bytes],
      ['no bytes', Buffer.alloc(0)],
      ['many bytes', Buffer.alloc(200_000, bytes)],
    ])('%s are read as a Buffer (CONV-07, API-35)', async (_name, value) => {
      await cache.set('set', value);
      await cache.add('added', value);
      await cache.setMany({ many: value });
      const found = await cache.getMany<Buffer>(['set', 'added', 'many']);
      for (const key of ['set', 'added', 'many']) {
        expect(Buffer.isBuffer(found[key])).toBe(true);
        expect(value.equals(found[key]!)).toBe(true);
      }
    });

    test('a Uint8Array is read as one (CONV-07)', async () => {
      await cache.set('key', new Uint8Array(bytes));
      const found = await cache.get<Uint8Array>('key');
      expect(Buffer.isBuffer(found)).toBe(false);
      expect(found).toBeInstanceOf(Uint8Array);
      expect([...found!]).toEqual([...bytes]);
    });

    test.each<[string, unknown]>([
      ['a function', () => 1],
      ['a symbol', Symbol('value')],
      ['a function within', { list: [{ render: () => 1 }] }],
      ['a cycle', cycle()],
    ])(
      '%s is refused by set() and add(), and nothing stored (CONV-07, API-36)',
      async (_name, value) => {
        await cache.set('key', 'old');
        await expect(cache.set('key', value)).rejects.toMatchObject({
          code: 'ERR_CACHE_VALUE',
          key: 'key',
        });
        await expect(cache.add('other', value)).rejects.toMatchObject({
          code: 'ERR_CACHE_VALUE',
        });
        expect(await cache.get('key')).toBe('old');
        expect(await cache.hasKey('other')).toBe(false);
      },
    );

    test('changing the original later changes nothing stored (CONV-08)', async () => {
      const original = { list: [1], nested: { name: 'a' } };
      const buffer = Buffer.from('abc');
      await cache.set('object', original);
      await cache.set('bytes', buffer);
      original.list.push(2);
      original.nested.name = 'b';
      buffer.fill('x');
      expect(await cache.get('object')).toEqual({ list: [1], nested: { name: 'a' } });
      expect(String(await cache.get('bytes'))).toBe('abc');
    });

    test('changing what was read changes nothing stored (CONV-08)', async () => {
      await cache.set('object', { list: [1], bytes: Buffer.from('abc') });
      await cache.set('bytes', Buffer.from('abc'));
      await cache.set('array', new Uint8Array([1, 2, 3]));
      const object = await cache.get<{ list: number[]; bytes: Buffer }>('object');
      object!.list.push(2);
      object!.bytes.fill('x');
      (await cache.get<Buffer>('bytes'))!.fill('x');
      (await cache.get<Uint8Array>('array'))!.fill(9);
      expect(await cache.get('object')).toEqual({ list: [1], bytes: Buffer.from('abc') });
      expect(String(await cache.get('bytes'))).toBe('abc');
      expect([...(await cache.get<Uint8Array>('array'))!]).toEqual([1, 2, 3]);
    });

    test('reading runs nothing of the original (API-37)', async () => {
      let runs = 0;
      const value = {
        get costly() {
          runs += 1;
          return 42;
        },
      };
      await cache.set('key', value);
      const runsToStore = runs;
      expect(await cache.get('key')).toEqual({ costly: 42 });
      expect(await cache.get('key')).toEqual({ costly: 42 });
      expect(runs).toBe(runsToStore);
    });
  });
}

function cycle(): unknown {
  const value: { self?: unknown } = {};
  value.self = value;
  return value;
}
