import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ScanResistantCache } from '../../../src/backends/tiered/scan-resistant-cache';
import { stopClock } from '../../support/clock';

const NEVER = Number.POSITIVE_INFINITY;
const clock = stopClock();

const keys = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** Sets entries, each valued as it is named. */
function fill(cache: ScanResistantCache<string>, names: readonly string[], size = 1000): void {
  for (const name of names) cache.set(name, name, size, NEVER);
}

function read(cache: ScanResistantCache<string>, names: readonly string[], times = 1): void {
  for (let i = 0; i < times; i++) for (const name of names) cache.get(name);
}

const held = (cache: ScanResistantCache<string>, names: readonly string[]) =>
  names.filter((name) => cache.get(name) !== undefined);

describe('entries', () => {
  test('get() returns what was set, undefined for anything else', () => {
    const cache = new ScanResistantCache<unknown>(100_000);
    const value = { a: 1 };
    expect(cache.set('a', value, 10, NEVER)).toBe(true);
    expect(cache.set('nothing', null, 10, NEVER)).toBe(true);
    expect(cache.get('a')).toBe(value);
    expect(cache.get('nothing')).toBeNull();
    expect(cache.get('b')).toBeUndefined();
  });

  test.each([
    ['__proto__', '__proto__'],
    ['an empty key', ''],
    ['a long key', 'x'.repeat(100_000)],
  ])('%s is a key like any other', (_what, key) => {
    const cache = new ScanResistantCache<string>(100_000);
    expect(cache.get(key)).toBeUndefined();
    cache.set(key, 'value', 10, NEVER);
    expect(cache.get(key)).toBe('value');
    expect(cache.delete(key)).toBe(true);
    expect(cache.get(key)).toBeUndefined();
  });

  test('size and bytes follow what is set, replaced, deleted, cleared', () => {
    const cache = new ScanResistantCache<string>(100_000);
    cache.set('a', 'a', 10, NEVER);
    cache.set('b', 'b', 20, NEVER);
    expect([cache.size, cache.bytes]).toEqual([2, 30]);
    cache.set('a', 'larger', 100, NEVER);
    expect([cache.size, cache.bytes]).toEqual([2, 120]);
    cache.set('a', 'smaller', 1, NEVER);
    expect([cache.size, cache.bytes]).toEqual([2, 21]);
    expect(cache.get('a')).toBe('smaller');
    expect(cache.delete('a')).toBe(true);
    expect(cache.delete('a')).toBe(false);
    expect([cache.size, cache.bytes]).toEqual([1, 20]);
    cache.clear();
    expect([cache.size, cache.bytes, cache.ghosts]).toEqual([0, 0, 0]);
    expect(cache.get('b')).toBeUndefined();
    fill(cache, ['c']);
    expect([cache.size, cache.bytes]).toEqual([1, 1000]);
  });

  test.each([0, -1, 0.5, Number.NaN, NEVER, 2 ** 53])('%d is no number of bytes', (bytes) => {
    expect(() => new ScanResistantCache(bytes)).toThrow(
      new TypeError(`maxBytes is ${bytes}. Give whole bytes above 0.`),
    );
    const cache = new ScanResistantCache<string>(100_000);
    fill(cache, ['a']);
    expect(() => cache.set('a', 'new', bytes, NEVER)).toThrow(
      new TypeError(`"a" has the size ${bytes}. Give whole bytes above 0.`),
    );
    expect([cache.get('a'), cache.bytes]).toEqual(['a', 1000]);
  });
});

describe('expiry', () => {
  test('an entry lives until its instant, and is gone when it is asked for then', () => {
    const cache = new ScanResistantCache<string>(100_000);
    cache.set('a', 'a', 10, clock.now() + 2000);
    cache.set('b', 'b', 10, NEVER);
    clock.advance(1.999);
    expect(cache.get('a')).toBe('a');
    clock.advance(0.001);
    expect([cache.size, cache.bytes]).toEqual([2, 20]);
    expect(cache.get('a')).toBeUndefined();
    expect([cache.size, cache.bytes]).toEqual([1, 10]);
    clock.advance(-1);
    expect(cache.get('a')).toBeUndefined();
    expect(cache.get('b')).toBe('b');
  });

  test('the instant may be handed in', () => {
    const cache = new ScanResistantCache<string>(100_000);
    expect(cache.set('a', 'a', 10, 500, 499)).toBe(true);
    expect(cache.get('a', 499)).toBe('a');
    expect(cache.get('a', 500)).toBeUndefined();
    expect(cache.set('a', 'a', 10, 500, 500)).toBe(false);
  });

  test.each([
    ['the present', () => clock.now()],
    ['the past', () => 0],
    ['no number', () => Number.NaN],
  ])('what expires at %s is not stored, and the old value is gone', (_what, instant) => {
    const cache = new ScanResistantCache<string>(100_000);
    fill(cache, ['a']);
    expect(cache.set('a', 'new', 10, instant())).toBe(false);
    expect(cache.get('a')).toBeUndefined();
    expect([cache.size, cache.bytes]).toEqual([0, 0]);
  });

  test('an expired entry gives way, however often it was read', () => {
    const cache = new ScanResistantCache<string>(100_000);
    fill(cache, keys(50, 'live'));
    for (const name of keys(50, 'expired')) cache.set(name, name, 1000, clock.now() + 1000);
    read(cache, [...keys(50, 'live'), ...keys(50, 'expired')], 3);
    clock.advance(1);
    fill(cache, keys(50, 'new'));
    expect(held(cache, keys(50, 'live'))).toHaveLength(50);
  });
});

describe('admission', () => {
  const HOT = keys(60, 'hot');

  /** A full cache of a hundred entries, whose hot entries were read, the others were not. */
  function warm(): ScanResistantCache<string> {
    const cache = new ScanResistantCache<string>(100_000);
    fill(cache, HOT);
    read(cache, HOT, 2);
    fill(cache, keys(100, 'unread'));
    return cache;
  }

  /** Sets entries again soon after they left, so that they go to the main queue. */
  function prove(cache: ScanResistantCache<string>, names: readonly string[]): void {
    fill(cache, [...names, ...keys(45, `after ${names[0]} `), ...names]);
  }

  test('a scan of a hundred times the room leaves what was read twice', () => {
    const cache = warm();
    fill(cache, keys(10_000, 'scanned'));
    expect(held(cache, HOT)).toEqual(HOT);
    expect(cache.bytes).toBe(100_000);
  });

  test('the newest of a scan are there: a tenth of the room is theirs', () => {
    const cache = warm();
    const scanned = keys(1000, 'scanned');
    fill(cache, scanned);
    expect(held(cache, scanned.slice(-10))).toEqual(scanned.slice(-10));
  });

  test('a second read within one request proves nothing', () => {
    const cache = warm();
    for (const name of keys(1000, 'scanned')) {
      cache.get(name);
      fill(cache, [name]);
      cache.get(name);
    }
    expect(held(cache, HOT)).toEqual(HOT);
  });

  test('a key asked for again soon after it left stays from then on', () => {
    const cache = warm();
    fill(cache, ['again']);
    fill(cache, keys(45, 'a'));
    expect(cache.get('again')).toBeUndefined();
    fill(cache, ['again']);
    fill(cache, keys(1000, 'b'));
    expect(cache.get('again')).toBe('again');
  });

  test.each<[string, (cache: ScanResistantCache<string>) => void]>([
    ['deleted', (cache) => HOT.map((name) => cache.delete(name))],
    [
      'expired',
      (cache) => {
        for (const name of HOT) cache.set(name, name, 1000, clock.now() + 1000);
        clock.advance(1);
        read(cache, HOT);
      },
    ],
  ])('what was popular before it was %s gets its place back', (_what, lose) => {
    const cache = warm();
    lose(cache);
    expect(held(cache, HOT)).toEqual([]);
    fill(cache, HOT);
    fill(cache, keys(1000, 'b'));
    // As many keys are remembered as there are entries, of which there were few by the end.
    expect(held(cache, HOT).length).toBeGreaterThanOrEqual(32);
  });

  test('a new value has the standing of the old one', () => {
    const cache = warm();
    for (const name of HOT) cache.set(name, 'new', 1000, NEVER);
    fill(cache, keys(1000, 'b'));
    expect(HOT.map((name) => cache.get(name))).toEqual(HOT.map(() => 'new'));
  });

  test('reads of the old value count for the new one', () => {
    const cache = warm();
    fill(cache, ['a']);
    read(cache, ['a'], 2);
    fill(cache, ['a', ...keys(1000, 'b')]);
    expect(cache.get('a')).toBe('a');
  });

  test('what was popular and gave way because it had expired gets its place back', () => {
    const cache = warm();
    read(cache, HOT);
    for (const name of HOT) cache.set(name, name, 1000, clock.now() + 1000);
    clock.advance(1);
    prove(cache, keys(10, 'a'));
    prove(cache, keys(10, 'b'));
    prove(cache, keys(10, 'c'));
    prove(cache, keys(10, 'd'));
    expect(cache.delete('hot0')).toBe(false);
    fill(cache, ['hot0', ...keys(1000, 'e')]);
    expect(cache.get('hot0')).toBe('hot0');
  });

  test('writing alone proves nothing', () => {
    const cache = warm();
    for (const name of keys(1000, 'written')) fill(cache, [name, name, name, name]);
    expect(held(cache, HOT)).toEqual(HOT);
    expect(held(cache, keys(900, 'written'))).toEqual([]);
  });

  test('a burst, however long, buys three turns of the main queue', () => {
    const survivors = (rounds: number) => {
      const cache = warm();
      read(cache, HOT, 10_000);
      // Of the ninety in the main queue, thirty are not read, and leave as others come.
      for (let i = 0; i < 3 * (rounds + 1); i++) prove(cache, keys(10, `proved${i}-`));
      return held(cache, HOT).length;
    };
    expect([3, 4, 5].map(survivors)).toEqual([60, 30, 0]);
  });
});

describe('large entries', () => {
  const full = () => {
    const cache = new ScanResistantCache<string>(100_000);
    fill(cache, keys(100, 'small'));
    return cache;
  };

  test('one larger than a tenth is stored where there is room', () => {
    const cache = new ScanResistantCache<string>(100_000);
    expect(cache.set('large', 'large', 100_000, NEVER)).toBe(true);
    expect(cache.get('large')).toBe('large');
    expect(cache.bytes).toBe(100_000);
  });

  test('one that others would have to leave for is stored the second time', () => {
    const cache = full();
    expect(cache.set('tenth', 'tenth', 10_000, NEVER)).toBe(true);
    expect(cache.set('large', 'large', 10_001, NEVER)).toBe(false);
    expect(cache.get('large')).toBeUndefined();
    expect([cache.size, cache.bytes]).toEqual([91, 100_000]);
    expect(cache.set('large', 'large', 10_001, NEVER)).toBe(true);
    expect(cache.get('large')).toBe('large');
    expect([cache.size, cache.bytes]).toEqual([81, 99_001]);
  });

  test('one in place of a smaller one of its key is stored at once', () => {
    const cache = full();
    expect(cache.set('small99', 'large', 10_001, NEVER)).toBe(true);
    expect(cache.get('small99')).toBe('large');
  });

  test('many that nobody asks for again push nothing out', () => {
    const cache = full();
    for (const name of keys(1000, 'large')) cache.set(name, name, 50_000, NEVER);
    expect(held(cache, keys(100, 'small'))).toHaveLength(100);
  });

  test('one larger than the whole is never stored, and the old value is gone', () => {
    const cache = full();
    for (let i = 0; i < 3; i++) expect(cache.set('small1', 'new', 100_001, NEVER)).toBe(false);
    expect(cache.get('small1')).toBeUndefined();
    expect([cache.size, cache.bytes]).toEqual([99, 99_000]);
    expect(held(cache, keys(100, 'small'))).toHaveLength(99);
  });

  test('one for which a thousand must leave is not stored, until enough have left', () => {
    const cache = new ScanResistantCache<string>(10_000);
    fill(cache, keys(5000, 'small'), 2);
    expect(cache.set('large', 'large', 5000, NEVER)).toBe(false);
    expect(cache.size).toBe(5000);
    expect(cache.set('large', 'large', 5000, NEVER)).toBe(false);
    expect([cache.size, cache.bytes]).toEqual([4000, 8000]);
    expect(cache.set('large', 'large', 5000, NEVER)).toBe(false);
    expect(cache.set('large', 'large', 5000, NEVER)).toBe(true);
    expect([cache.size, cache.bytes]).toEqual([2501, 10_000]);
  });

  test('a value that makes no room leaves no older one of its key', () => {
    const cache = new ScanResistantCache<string>(10_000);
    fill(cache, ['a', ...keys(4999, 'small')], 2);
    expect(cache.set('a', 'new', 5000, NEVER)).toBe(false);
    expect(cache.get('a')).toBeUndefined();
    expect(cache.bytes).toBe(2 * cache.size);
  });
});

test.each([
  [1000, ['k64']],
  [2000, ['k64', 'k129']],
])('of entries that were all read, 64 at most are passed over before each', (size, evicted) => {
  const cache = new ScanResistantCache<string>(1_000_000);
  const names = keys(1000, 'k');
  fill(cache, names);
  read(cache, names, 3);
  fill(cache, ['new'], size);
  expect(names.filter((name) => !cache.delete(name))).toEqual(evicted);
});

describe('remembered keys', () => {
  test('are as many as there are entries', () => {
    const cache = new ScanResistantCache<string>(10_000_000);
    fill(cache, keys(20_000, 'k'), 10_000);
    expect(cache.size).toBe(1000);
    expect(cache.ghosts).toBeGreaterThanOrEqual(500);
    expect(cache.ghosts).toBeLessThanOrEqual(1000);
  });

  test('take a tenth of the bytes at most', () => {
    const cache = new ScanResistantCache<string>(1_000_000);
    for (const name of keys(5000, 'k')) cache.set(name.padEnd(500, 'x'), name, 1000, NEVER);
    expect(cache.size).toBe(1000);
    expect(cache.ghosts).toBeGreaterThan(40);
    expect(cache.ghosts).toBeLessThanOrEqual(100);
  });

  test('are forgotten by clear()', () => {
    const cache = new ScanResistantCache<string>(100_000);
    fill(cache, keys(100, 'a'));
    expect(cache.set('large', 'large', 20_000, NEVER)).toBe(false);
    cache.clear();
    fill(cache, keys(100, 'a'));
    expect(cache.set('large', 'large', 20_000, NEVER)).toBe(false);
  });
});

describe('whatever is done to it', () => {
  const MAX_BYTES = 60_000;
  const key = fc.integer({ min: 0, max: 30 }).map((i) => `k${i}`);
  const step = fc.oneof(
    {
      weight: 60,
      arbitrary: fc.record({
        op: fc.constant('set' as const),
        key,
        size: fc.oneof(
          { weight: 5, arbitrary: fc.integer({ min: 1, max: 6000 }) },
          fc.integer({ min: 1, max: 70_000 }),
        ),
        lifetime: fc.oneof(fc.integer({ min: -1, max: 40 }), fc.constant(NEVER)),
      }),
    },
    { weight: 60, arbitrary: fc.record({ op: fc.constant('get' as const), key }) },
    { weight: 10, arbitrary: fc.record({ op: fc.constant('delete' as const), key }) },
    {
      weight: 10,
      arbitrary: fc.record({
        op: fc.constant('pass' as const),
        ms: fc.integer({ min: 1, max: 20 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('clear' as const) }) },
  );

  test('it holds what was last set and lives, within its bytes, and counts them right', () => {
    let hits = 0;
    let evicted = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 400, size: 'max' }), (steps) => {
        const cache = new ScanResistantCache<number>(MAX_BYTES);
        const model = new Map<string, { value: number; size: number; expiresAt: number }>();
        let now = 1000;
        for (const [value, step] of steps.entries()) {
          if (step.op === 'pass') now += step.ms;
          if (step.op === 'clear') {
            cache.clear();
            model.clear();
          }
          if (step.op === 'delete') {
            const isDeleted = cache.delete(step.key);
            if (!model.delete(step.key)) assert.equal(isDeleted, false);
          }
          if (step.op === 'set') {
            const expiresAt = now + step.lifetime;
            const isStored = cache.set(step.key, value, step.size, expiresAt, now);
            model.delete(step.key);
            if (isStored) model.set(step.key, { value, size: step.size, expiresAt });
            if (step.size > MAX_BYTES || step.lifetime <= 0) assert.equal(isStored, false);
            else if (step.size <= MAX_BYTES / 10) assert.equal(isStored, true);
          }
          if (step.op === 'get') {
            const entry = model.get(step.key);
            const isLive = entry !== undefined && entry.expiresAt > now;
            const found = cache.get(step.key, now);
            if (found !== undefined) {
              assert.equal(isLive, true);
              assert.equal(found, entry!.value);
              hits++;
            } else {
              if (isLive) evicted++;
              model.delete(step.key);
            }
          }
          assert.ok(cache.bytes <= MAX_BYTES);
          assert.ok(cache.size <= model.size);
          assert.ok(cache.ghosts <= 64);
        }
        // Before time began nothing had expired.
        const left = [...model].filter(([key]) => cache.get(key, 0) !== undefined);
        assert.equal(cache.size, left.length);
        assert.equal(
          cache.bytes,
          left.reduce((sum, [, { size }]) => sum + size, 0),
        );
        for (const [key] of left) assert.ok(cache.delete(key));
        assert.deepEqual([cache.size, cache.bytes], [0, 0]);
      }),
      { numRuns: 300, seed: 5 },
    );
    // Else nothing above would mean much.
    expect(hits).toBeGreaterThan(5000);
    expect(evicted).toBeGreaterThan(1000);
  });
});
