import { LocMemCache, type LocMemOptions } from 'cachewright';
import type { Noted } from '../../src/cache/tags';
import { runScript } from '../support/child';
import { stopClock } from '../support/clock';
import { catchWarnings } from '../support/process-warnings';
import { describeCacheContract } from './contract';

const clock = stopClock();

describeCacheContract('LocMemCache', (params) => new LocMemCache('contract', params), {
  advance: clock.advance,
});

let locations = 0;

/** On a store of its own. */
function openCache(options: LocMemOptions = {}): LocMemCache {
  return new LocMemCache(`test ${locations++}`, { timeout: null, options });
}

/** Those of `count` keys `k0`, `k1`, … that are there. Looking does not make them recent. */
async function present(cache: LocMemCache, count: number): Promise<number[]> {
  const numbers = Array.from({ length: count }, (_, i) => i);
  const flags = await Promise.all(numbers.map((i) => cache.hasKey(`k${i}`)));
  return numbers.filter((i) => flags[i]);
}

async function fill(cache: LocMemCache, count: number, value: unknown = 0): Promise<void> {
  for (let i = 0; i < count; i++) await cache.set(`k${i}`, value);
}

describe('location', () => {
  test('aliases that name the same store share it, clear() included (LOC-01)', async () => {
    const one = new LocMemCache('shared');
    const two = new LocMemCache('shared', { timeout: 10 });
    await one.set('key', 'value');
    expect(await two.get('key')).toBe('value');
    await two.clear();
    expect(await one.get('key')).toBeUndefined();
  });

  test('stores of other names have entries of their own (LOC-01)', async () => {
    const one = new LocMemCache('isolated 1');
    const two = new LocMemCache('isolated 2');
    await one.set('key', 'value');
    expect(await two.get('key')).toBeUndefined();
    await two.clear();
    expect(await one.get('key')).toBe('value');
  });

  test('other processes share nothing, and no timer keeps them alive (LOC-01, LOC-07)', async () => {
    await new LocMemCache('processes').set('key', 'ours');
    const { stdout } = await runScript(`
      const cache = new cachewright.LocMemCache('processes');
      cache.get('key')
        .then((found) => console.log(found))
        .then(() => cache.set('key', 'theirs', 1000));
    `);
    expect(stdout).toBe('undefined\n');
    expect(await new LocMemCache('processes').get('key')).toBe('ours');
  });
});

describe('order of use', () => {
  const nine = { maxEntries: 9 };

  test('get() makes an entry recent (LOC-03)', async () => {
    const cache = openCache(nine);
    await fill(cache, 9);
    for (let i = 0; i < 6; i++) await cache.get(`k${i}`);
    await cache.set('k9', 0);
    expect(await present(cache, 10)).toEqual([0, 1, 2, 3, 4, 5, 9]);
  });

  test('set() makes an entry recent (LOC-04)', async () => {
    const cache = openCache(nine);
    await fill(cache, 9);
    for (let i = 3; i < 9; i++) await cache.set(`k${i}`, 1);
    await cache.set('k9', 0);
    expect(await present(cache, 10)).toEqual([3, 4, 5, 6, 7, 8, 9]);
  });

  test('incr() makes an entry recent (LOC-05)', async () => {
    const cache = openCache(nine);
    await fill(cache, 9);
    for (let i = 0; i < 6; i++) expect(await cache.incr(`k${i}`)).toBe(1);
    await cache.set('k9', 0);
    expect(await present(cache, 10)).toEqual([0, 1, 2, 3, 4, 5, 9]);
  });

  test('hasKey() and touch() do not (LOC-05)', async () => {
    const cache = openCache(nine);
    await fill(cache, 9);
    for (let i = 0; i < 3; i++) {
      await cache.hasKey(`k${i}`);
      await cache.touch(`k${i}`);
    }
    await cache.set('k9', 0);
    expect(await present(cache, 10)).toEqual([3, 4, 5, 6, 7, 8, 9]);
  });
});

describe('expiry', () => {
  test('an entry is gone at the very instant (TMO-09)', async () => {
    const cache = openCache();
    await cache.set('key', 'value', 1);
    clock.advance(0.999);
    expect(await cache.get('key')).toBe('value');
    clock.advance(0.001);
    expect(await cache.get('key')).toBeUndefined();
  });

  test('incr() and decr() leave the instant as it was (LOC-06)', async () => {
    const cache = openCache();
    await cache.set('key', 1, 10);
    clock.advance(9);
    expect(await cache.incr('key')).toBe(2);
    expect(await cache.decr('key', 5)).toBe(-3);
    expect(await cache.get('key')).toBe(-3);
    clock.advance(1);
    expect(await cache.get('key')).toBeUndefined();
  });

  test.each<[string, (cache: LocMemCache) => Promise<unknown>]>([
    ['get', (cache) => cache.get('key')],
    ['hasKey', (cache) => cache.hasKey('key')],
    ['incr', (cache) => cache.incr('key').catch(() => {})],
    ['touch', (cache) => cache.touch('key')],
  ])('%s() removes an expired entry it meets (LOC-07)', async (_name, meet) => {
    const cache = openCache();
    await cache.set('key', 1, 1);
    await cache.set('unmet', 1, 1);
    clock.advance(1);
    await meet(cache);
    // delete() tells whether it was still there.
    expect(await cache.delete('key')).toBe(false);
    expect(await cache.delete('unmet')).toBe(true);
  });
});

describe('culling', () => {
  test('starts when the limit is reached, also by a write over an entry (CULL-04)', async () => {
    const cache = openCache({ maxEntries: 9 });
    await fill(cache, 9);
    expect(await present(cache, 9)).toHaveLength(9);
    await cache.set('k8', 1);
    expect(await present(cache, 9)).toEqual([3, 4, 5, 6, 7, 8]);
  });

  test('removes one in cullFrequency, rounded down, the least recent first (CULL-05)', async () => {
    const cache = openCache({ maxEntries: 10, cullFrequency: 4 });
    await fill(cache, 11);
    expect(await present(cache, 11)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('of everything leaves what is known of purges and of values being made (CULL-05)', async () => {
    const cache = openCache({ maxEntries: 2, cullFrequency: 0 });
    const { counters } = (await cache.tags.note(['t.tag'])) as Noted;
    const first = cache.getOrSet('made', async () => {
      await fill(cache, 3);
      return 'made';
    });
    expect(await first).toBe('made');
    expect(await present(cache, 3)).toEqual([2]);
    expect(await cache.get('made')).toBe('made');
    expect(await cache.tags.check(counters)).toBe('valid');
  });

  test('counting does not cull, as it adds no entry (CULL-04)', async () => {
    const cache = openCache({ maxEntries: 9 });
    await fill(cache, 9);
    await cache.incr('k0');
    expect(await present(cache, 9)).toHaveLength(9);
  });

  test('a large store is culled over several writes, a thousand entries at most in each', async () => {
    const cache = openCache({ maxEntries: 9000 });
    await fill(cache, 9000);
    const left: number[] = [];
    for (let i = 0; i < 5; i++) {
      await cache.set(`more${i}`, 0);
      left.push((await present(cache, 9000)).length);
    }
    expect(left).toEqual([8000, 7000, 6000, 6000, 6000]);
  });

  test('clear() forgives what is still to be culled', async () => {
    const cache = openCache({ maxEntries: 9000 });
    await fill(cache, 9001);
    await cache.clear();
    await fill(cache, 100);
    expect(await present(cache, 100)).toHaveLength(100);
  });

  test.each([
    ['maxEntries', { maxEntries: 'many' }],
    ['cullFrequency', { cullFrequency: -1 }],
    ['maxBytes', { maxBytes: 0 }],
    ['maxBytes', { maxBytes: '1MB' as unknown as number }],
  ])('a senseless %s is refused when the backend is made', (option, options) => {
    expect(() => openCache(options)).toThrow(TypeError);
    expect(() => openCache(options)).toThrow(option);
  });
});

describe('memory', () => {
  const warnings = catchWarnings();
  const kilobyte = Buffer.alloc(1000);

  test('entries give way, least recent first, once they take too much together', async () => {
    const cache = openCache({ maxEntries: 1e6, maxBytes: 100_000 });
    await fill(cache, 1000, kilobyte);
    const left = await present(cache, 1000);
    expect(left.length).toBeGreaterThan(50);
    expect(left.length).toBeLessThanOrEqual(100);
    expect(left).toEqual(left.map((_, i) => 1000 - left.length + i));
  });

  test.each<[string, unknown]>([
    ['strings', 'x'.repeat(500)],
    ['BigInts', 2n ** 8000n],
    ['objects', { text: 'x'.repeat(1000) }],
  ])('%s count too', async (_name, value) => {
    const cache = openCache({ maxEntries: 1e6, maxBytes: 100_000 });
    await fill(cache, 1000, value);
    expect((await present(cache, 1000)).length).toBeLessThanOrEqual(100);
  });

  test('long keys and many small entries count too', async () => {
    const cache = openCache({ maxEntries: 1e6, maxBytes: 100_000 });
    await fill(cache, 10_000, 1);
    expect((await present(cache, 10_000)).length).toBeLessThanOrEqual(1000);
  });

  test('a value larger than the whole is not stored, and neither is its old value', async () => {
    const cache = openCache({ maxBytes: 10_000 });
    await cache.set('other', kilobyte);
    await cache.set('key', kilobyte);
    await cache.set('key', Buffer.alloc(10_000));
    expect(await cache.hasKey('key')).toBe(false);
    expect(await cache.hasKey('other')).toBe(true);
    await cache.set('key', Buffer.alloc(20_000));
    expect(warnings).toEqual([
      expect.objectContaining({
        name: 'CacheSizeWarning',
        code: 'CACHEWRIGHT_SIZE',
        message: expect.stringMatching(/":1:key".*10000/),
      }),
    ]);
  });

  test('writing over an entry evicts no other for room that its old value takes', async () => {
    const cache = openCache({ maxBytes: 10_000 });
    await cache.set('other', Buffer.alloc(3000));
    await cache.set('key', Buffer.alloc(6000));
    await cache.set('key', Buffer.alloc(6100));
    expect(await cache.hasKey('key')).toBe(true);
    expect(await cache.hasKey('other')).toBe(true);
  });

  test('room that is given back can be used again', async () => {
    const cache = openCache({ maxEntries: 1e6, maxBytes: 10_000 });
    for (let i = 0; i < 100; i++) {
      await cache.set('key', Buffer.alloc(5000));
      await cache.delete('key');
      await cache.set('cleared', Buffer.alloc(5000));
      await cache.clear();
      await cache.set('expired', Buffer.alloc(5000), 1);
      clock.advance(1);
      await cache.get('expired');
    }
    await fill(cache, 8, kilobyte);
    expect(await present(cache, 8)).toHaveLength(8);
  });

  test('one write evicts a thousand entries at most, and stays out until there is room', async () => {
    const cache = openCache({ maxEntries: 1e6, maxBytes: 1_000_000 });
    await fill(cache, 6000);
    const before = (await present(cache, 6000)).length;
    const large = Buffer.alloc(600_000);
    await cache.set('large', large);
    expect(await cache.hasKey('large')).toBe(false);
    expect(await present(cache, 6000)).toHaveLength(before - 1000);
    await cache.set('k5999', large);
    expect(await cache.hasKey('k5999')).toBe(false);
    for (let i = 0; i < 5; i++) await cache.set('large', large);
    expect(await cache.hasKey('large')).toBe(true);
    expect(await present(cache, 6000)).not.toHaveLength(0);
  });

  test('a part of a large text does not keep all of it in memory', async () => {
    const { stdout } = await runScript(
      `
      const cache = new cachewright.LocMemCache('parts');
      const usedMegabytes = () => {
        global.gc();
        const { heapUsed, external } = process.memoryUsage();
        return (heapUsed + external) / 1e6;
      };
      (async () => {
        const before = usedMegabytes();
        for (let i = 0; i < 100; i++) {
          const text = Buffer.alloc(1e6, 97 + (i % 26)).toString('latin1');
          await cache.set('part ' + i, text.slice(1000, 1050));
        }
        console.log(usedMegabytes() - before);
      })();
      `,
      ['--expose-gc'],
    );
    expect(Number(stdout)).toBeLessThan(20);
  });
});

describe('values', () => {
  test('are serialised before the store is touched, so that a serializer may use it (LOC-02)', async () => {
    const cache: LocMemCache = openCache({
      serializer: {
        dump(value) {
          if (value === 'outer') void cache.set('inner', 'stored while dumping');
          return Buffer.from(JSON.stringify(value));
        },
        load: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
      },
    });
    await cache.set('key', 'outer');
    expect(await cache.get('inner')).toBe('stored while dumping');
    expect(await cache.get('key')).toBe('outer');
  });

  test('what a serializer writes may begin as an envelope does', async () => {
    const serializer = {
      dump: (value: unknown) => value as Uint8Array,
      load: (bytes: Uint8Array) => bytes,
    };
    const cache = openCache({ serializer });
    const bytes = Buffer.from('\xc1CWT\x01 and more', 'latin1');
    await cache.set('key', bytes);
    expect(await cache.get('key')).toEqual(bytes);
    expect(await cache.getOrSet('key', () => null)).toEqual(bytes);
  });

  test('a serializer that hands on its own bytes cannot reach the stored ones (CONV-08)', async () => {
    const scratch = Buffer.alloc(3);
    const cache = openCache({
      serializer: {
        dump(value) {
          scratch.write(value as string);
          return scratch;
        },
        load: (bytes) => bytes,
      },
    });
    await cache.set('a', 'aaa');
    await cache.set('b', 'bbb');
    const found = await cache.get<Buffer>('a');
    expect(String(found)).toBe('aaa');
    found!.fill('x');
    expect(String(await cache.get('a'))).toBe('aaa');
  });

  test('nor can one that reads into a window on them (CONV-08)', async () => {
    const cache = openCache({
      serializer: {
        dump: (value) => Buffer.from(value as string),
        load: (bytes) => ({ window: bytes }),
      },
    });
    await cache.set('key', 'abc');
    const found = await cache.get<{ window: Uint8Array }>('key');
    found!.window.fill(0);
    expect(String((await cache.get<{ window: Uint8Array }>('key'))!.window)).toBe('abc');
  });

  test('JSON by option refuses what JSON would change (CONV-07)', async () => {
    const cache = openCache({ serializer: 'json' });
    await cache.set('key', { a: [1, null, 'x'] });
    expect(await cache.get('key')).toEqual({ a: [1, null, 'x'] });
    await expect(cache.set('key', { when: new Date() })).rejects.toMatchObject({
      code: 'ERR_CACHE_VALUE',
    });
    expect(await cache.get('key')).toEqual({ a: [1, null, 'x'] });
  });
});

describe('frozen values', () => {
  const frozen = { byteLength: 5000, toBytes: () => Buffer.from('bytes') };

  test('are handed out as they are, at once', () => {
    const cache = openCache();
    cache.setFrozen('key', frozen, 10);
    expect(cache.getFrozen('key')).toBe(frozen);
    clock.advance(10);
    expect(cache.getFrozen('key')).toBeUndefined();
  });

  test('are bytes to those who do not know of them', async () => {
    const cache = openCache();
    cache.setFrozen('key', frozen, null);
    expect(await cache.get('key')).toEqual(Buffer.from('bytes'));
  });

  test('count with the memory they say they take', async () => {
    const cache = openCache({ maxBytes: 12_000 });
    for (const key of ['k0', 'k1', 'k2']) cache.setFrozen(key, frozen, null);
    expect(await present(cache, 3)).toEqual([1, 2]);
  });

  test('bytes that were stored as a value are found as well, other values are not', async () => {
    const cache = openCache();
    await cache.setMany({ bytes: Buffer.from('x'), object: {}, text: 'x', number: 1 });
    expect(cache.getFrozen('bytes')).toEqual(Buffer.from('x'));
    for (const key of ['object', 'text', 'number', 'missing']) {
      expect(cache.getFrozen(key)).toBeUndefined();
    }
  });

  describe('of which there are many', () => {
    const MANY = 10_000;
    const large = { byteLength: 20_000, toBytes: () => Buffer.from('large') };
    let cache: LocMemCache;

    beforeEach(() => {
      cache = openCache({ maxEntries: 1e6, maxBytes: 1e9 });
      cache.setFrozen('key', frozen, 10);
      cache.setFrozen('large', large, null);
      for (let i = 0; i < MANY; i++) cache.setFrozen(`k${i}`, { ...frozen }, null);
    });

    test('the oldest small ones are held as their bytes', async () => {
      expect(cache.getFrozen('key')).toEqual(Buffer.from('bytes'));
      expect(cache.getFrozen('large')).toBe(large);
      const found = await cache.get<Buffer>('key');
      found!.fill(0);
      expect(await cache.get('key')).toEqual(Buffer.from('bytes'));
      clock.advance(10);
      expect(cache.getFrozen('key')).toBeUndefined();
    });

    test('what was made of these bytes takes their place', () => {
      cache.adoptFrozen('key', cache.getFrozen('key') as Buffer, frozen);
      expect(cache.getFrozen('key')).toBe(frozen);
      clock.advance(10);
      expect(cache.getFrozen('key')).toBeUndefined();
    });

    test('but not that of what was replaced or removed meanwhile', () => {
      const bytes = cache.getFrozen('key') as Buffer;
      const other = { ...frozen };
      cache.setFrozen('key', other, null);
      cache.adoptFrozen('key', bytes, frozen);
      expect(cache.getFrozen('key')).toBe(other);
      cache.deleteFrozen('key');
      cache.adoptFrozen('key', bytes, frozen);
      expect(cache.getFrozen('key')).toBeUndefined();
    });

    test('nor of what others were made of since', () => {
      const bytes = cache.getFrozen('key') as Buffer;
      cache.setFrozen('key', { ...frozen, toBytes: () => Buffer.from('newer') }, null);
      for (let i = 0; i < MANY; i++) cache.setFrozen(`k${i}`, { ...frozen }, null);
      cache.adoptFrozen('key', bytes, frozen);
      expect(cache.getFrozen('key')).toEqual(Buffer.from('newer'));
    });

    test('those that were removed leave no memory behind', async () => {
      const { stdout } = await runScript(
        `
        const cache = new cachewright.LocMemCache('removed', {
          options: { maxEntries: 1e6, maxBytes: 1e9 },
        });
        const usedMegabytes = async () => {
          // What is left of buffers is given back behind the collector's back.
          await new Promise((resolve) => setImmediate(resolve));
          for (let time = 0; time < 3; time++) global.gc();
          const { heapUsed, external } = process.memoryUsage();
          return (heapUsed + external) / 1e6;
        };
        (async () => {
          const before = await usedMegabytes();
          for (let i = 0; i < 5000; i++) {
            const bytes = Buffer.alloc(16_000);
            cache.setFrozen('key ' + i, { byteLength: 16_000, toBytes: () => bytes }, null);
          }
          const held = (await usedMegabytes()) - before;
          for (let i = 0; i < 5000; i++) cache.deleteFrozen('key ' + i);
          console.log(held, (await usedMegabytes()) - before);
        })();
        `,
        ['--expose-gc', '--no-warnings'],
      );
      const [held, left] = stdout.split(' ').map(Number);
      expect(held).toBeGreaterThan(70);
      expect(left).toBeLessThan(20);
    });

    test('those that were removed make place for others', () => {
      for (let i = 0; i < MANY; i++) cache.deleteFrozen(`k${i}`);
      cache.setFrozen('key', frozen, null);
      expect(cache.getFrozen('key')).toBe(frozen);
      expect(cache.getFrozen('k0')).toBeUndefined();
    });
  });
});
