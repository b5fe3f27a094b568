import { LocalTagStore } from '../../src/backends/local-tag-store';
import { type CounterCache, HISTORY, SharedTagStore } from '../../src/cache/shared-tag-store';
import { CLOCK, type TagStore, Tags } from '../../src/cache/tags';
import { CacheKeyNotFoundError } from '../../src/errors';

/** Counters and logged purges in a map, with nothing that expires. */
class MapCounters implements CounterCache {
  readonly entries = new Map<string, unknown>();
  readonly timeouts = new Map<string, number | null>();
  calls: string[] = [];
  /** Called before a counter is added, to be faster. */
  onAdd = (_key: string): void => {};
  /** Keys that cannot be stored. */
  refused: readonly string[] = [];
  history: number | undefined;

  constructor(readonly countsAtomically = true) {}

  async readCounters(keys: readonly string[]) {
    this.calls.push(`read ${keys.length}`);
    const found = keys.map((key) => [key, this.entries.get(key)] as const);
    return Object.fromEntries([...found, [HISTORY, this.history]]);
  }

  async add(key: string, value: unknown, timeout: number | null) {
    this.calls.push(`add ${key}`);
    this.onAdd(key);
    if (this.entries.has(key)) return false;
    await this.set(key, value, timeout);
    return true;
  }

  async set(key: string, value: unknown, timeout: number | null) {
    if (this.refused.includes(key)) return;
    this.entries.set(key, value);
    this.timeouts.set(key, timeout);
  }

  async setMany(entries: Readonly<Record<string, unknown>>, timeout: number | null) {
    for (const [key, value] of Object.entries(entries)) await this.set(key, value, timeout);
    return Object.keys(entries).filter((key) => this.refused.includes(key));
  }

  async incr(key: string, delta: number) {
    const value = this.entries.get(key);
    if (typeof value !== 'number') throw new CacheKeyNotFoundError(key, 'incr');
    await this.set(key, value + delta, 300);
    return value + delta;
  }

  async touch(key: string, timeout: number | null) {
    if (!this.entries.has(key)) return false;
    this.timeouts.set(key, timeout);
    return true;
  }
}

const MONTH = 30 * 24 * 3600;
const CLOCK_KEY = 'cachewright.tag.clock';
const A_KEY = 'cachewright.tag.t.a';

/** What an entry bears that has these tags, all known before. */
async function entryOf(tags: Tags, ...names: string[]) {
  const counters = await tags.confirm(await tags.note(names), []);
  if (counters === undefined) throw new Error('Purged meanwhile.');
  return counters;
}

describe.each<[string, () => TagStore, boolean]>([
  ['local memory', () => new LocalTagStore(), true],
  ['a shared store', () => new SharedTagStore(new MapCounters()), true],
  [
    'a shared store that does not count atomically',
    () => new SharedTagStore(new MapCounters(false)),
    false,
  ],
])('on %s', (_, makeStore, countsAtomically) => {
  let store: TagStore;
  let tags: Tags;

  beforeEach(() => {
    store = makeStore();
    tags = new Tags(store);
  });

  test('an entry is valid until one of its tags is purged', async () => {
    const entry = await entryOf(tags, 't.a', 't.b');
    const other = await entryOf(tags, 't.c');
    expect([...entry.keys()]).toEqual(['t.a', 't.b']);
    expect(await tags.check(entry)).toBe('valid');
    await tags.purge(['t.b'], 'hard', true);
    expect(await tags.check(entry)).toBe('purged');
    expect(await tags.check(other)).toBe('valid');
    expect(await tags.check(await entryOf(tags, 't.a', 't.b'))).toBe('valid');
  });

  test('an entry that has no tags is always valid', async () => {
    await tags.purge(['t.a'], 'hard', true);
    expect(await tags.check(await entryOf(tags))).toBe('valid');
  });

  test('a purge of nothing does nothing', async () => {
    const noted = await tags.note([]);
    await tags.purge([], 'hard', true);
    expect((await tags.note([])).clock).toBe(noted.clock);
  });

  test('after soft purges an entry is stale, after a hard one it is purged for good', async () => {
    const entry = await entryOf(tags, 't.a', 't.b');
    await tags.purge(['t.a'], 'soft', true);
    expect(await tags.check(entry)).toBe(countsAtomically ? 'stale' : 'purged');
    await tags.purge(['t.a'], 'soft', true);
    expect(await tags.check(entry)).toBe(countsAtomically ? 'stale' : 'purged');
    const renewed = await entryOf(tags, 't.a', 't.b');
    expect(await tags.check(renewed)).toBe('valid');
    await tags.purge(['t.b'], 'hard', true);
    await tags.purge(['t.b'], 'soft', true);
    expect(await tags.check(entry)).toBe('purged');
    expect(await tags.check(renewed)).toBe('purged');
  });

  test('so many soft purges that they run over purge more, never less', async () => {
    const entry = await entryOf(tags, 't.a');
    for (let i = 0; i < 2 ** 16; i += 1) await store.advance(['t.a'], 'soft');
    expect(await tags.check(entry)).toBe('purged');
  });

  test('what is purged while it is made is not kept, by tags known before', async () => {
    for (const mode of ['hard', 'soft'] as const) {
      const noted = await tags.note(['t.a']);
      await tags.purge(['t.a'], mode, false);
      expect(await tags.confirm(noted, [])).toBeUndefined();
    }
  });

  test('what is purged while it is made is not kept, by tags learnt late', async () => {
    for (const mode of ['hard', 'soft'] as const) {
      const noted = await tags.note(['t.a']);
      await tags.purge(['t.b', 't.c'], mode, true);
      expect(await tags.confirm(noted, ['t.b'])).toBeUndefined();
      expect(await tags.confirm(noted, ['t.d', 't.c'])).toBeUndefined();
      const unconcerned = await tags.confirm(noted, ['t.d']);
      // Without a log it is only known that there was a purge.
      expect(unconcerned !== undefined).toBe(countsAtomically);
      expect(await tags.confirm(noted, ['t.a'])).toBeDefined();
    }
  });

  test('late tags are borne like those known before', async () => {
    const entry = await tags.confirm(await tags.note(['t.a']), ['t.b', 't.a']);
    expect([...entry!.keys()]).toEqual(['t.a', 't.b']);
    await tags.purge(['t.b'], 'hard', true);
    expect(await tags.check(entry!)).toBe('purged');
  });

  test('up to 64 purges of other tags do no harm, more are too many', async () => {
    const noted = await tags.note([]);
    for (let i = 0; i < 64; i += 1) await tags.purge([`t.${i}`], 'hard', true);
    expect((await tags.confirm(noted, ['t.x'])) !== undefined).toBe(countsAtomically);
    await tags.purge(['t.64'], 'hard', true);
    expect(await tags.confirm(noted, ['t.x'])).toBeUndefined();
    // Of tags known before, the counters themselves tell.
    expect(await tags.confirm(noted, [])).toBeDefined();
  });
});

describe('on a shared store', () => {
  let cache: MapCounters;
  let tags: Tags;

  beforeEach(() => {
    cache = new MapCounters();
    tags = new Tags(new SharedTagStore(cache));
  });

  test('other processes may purge at any time', async () => {
    expect(tags.sequence).toBeUndefined();
    const entry = await entryOf(tags, 't.a');
    await new Tags(new SharedTagStore(cache)).purge(['t.a'], 'hard', true);
    expect(await tags.check(entry)).toBe('purged');
  });

  test('a counter that is lost, or is none, purges its entries, and they stay purged', async () => {
    const entry = await entryOf(tags, 't.a');
    const before = cache.entries.get(A_KEY);
    for (const broken of ['x', null, 1.5, Number.NaN, [before]]) {
      cache.entries.set(A_KEY, broken);
      expect(await tags.check(entry)).toBe('purged');
    }
    cache.entries.delete(A_KEY);
    expect(await tags.check(entry)).toBe('purged');
    await tags.note(['t.a']);
    expect(cache.entries.get(A_KEY)).not.toBe(before);
    expect(await tags.check(entry)).toBe('purged');
  });

  test('a clock that is lost, or not the same any more, lets no late tag in', async () => {
    const noted = await tags.note([]);
    const clock = cache.entries.get(CLOCK_KEY) as number;
    cache.entries.delete(CLOCK_KEY);
    expect(await tags.confirm(noted, ['t.a'])).toBeUndefined();
    expect(cache.entries.get(CLOCK_KEY)).not.toBe(clock);
    cache.entries.set(CLOCK_KEY, clock - 1);
    expect(await tags.confirm(noted, ['t.a'])).toBeUndefined();
    cache.entries.set(CLOCK_KEY, clock);
    expect(await tags.confirm(noted, ['t.a'])).toBeDefined();
  });

  test('a clock that is lost while late tags are taken in lets none in', async () => {
    const noted = await tags.note(['t.a']);
    const read = cache.readCounters.bind(cache);
    cache.readCounters = async (keys) => {
      const found = await read(keys);
      cache.entries.delete(CLOCK_KEY);
      return found;
    };
    expect(await tags.confirm(noted, ['t.b'])).toBeUndefined();
  });

  test('a purge whose log is lost, or not written yet, may concern any tag', async () => {
    const noted = await tags.note([]);
    await tags.purge(['t.b'], 'hard', true);
    expect(await tags.confirm(noted, ['t.a'])).toBeDefined();
    cache.entries.delete(`cachewright.purge.${noted.clock + 1}`);
    expect(await tags.confirm(noted, ['t.a'])).toBeUndefined();
  });

  test('of two who make a counter, both bear the one that stands', async () => {
    cache.onAdd = (key) => {
      if (key === A_KEY) cache.entries.set(A_KEY, 65_536);
    };
    expect((await tags.note(['t.a'])).counters).toEqual(new Map([['t.a', 65_536]]));
  });

  test('many fills that begin at once make a missing counter once', async () => {
    const noted = await Promise.all(Array.from({ length: 50 }, () => tags.note(['t.a'])));
    expect(cache.calls.filter((call) => call.startsWith('add'))).toEqual([
      `add ${CLOCK_KEY}`,
      `add ${A_KEY}`,
    ]);
    expect(new Set(noted.map(({ counters }) => counters.get('t.a'))).size).toBe(1);
    // And anew once it is lost.
    cache.entries.delete(A_KEY);
    await tags.note(['t.a']);
    expect(cache.calls.filter((call) => call === `add ${A_KEY}`)).toHaveLength(2);
  });

  test('a counter that can neither be stored nor found is an error', async () => {
    cache.refused = [A_KEY];
    cache.onAdd = (key) => {
      if (key === A_KEY) cache.entries.set(key, 'no counter');
    };
    await expect(tags.note(['t.a'])).rejects.toThrow(
      `The counter ${A_KEY} can neither be stored nor found.`,
    );
  });

  test('what stands under a counter and is no number gives way to one', async () => {
    cache.entries.set(A_KEY, 'garbage');
    const { counters } = await tags.note(['t.a']);
    expect(cache.entries.get(A_KEY)).toBe(counters.get('t.a'));
    expect(cache.timeouts.get(A_KEY)).toBe(MONTH);
    expect(await tags.check(counters)).toBe('valid');
  });

  test('a purge that is not stored rejects', async () => {
    cache.refused = [A_KEY];
    await expect(tags.purge(['t.a', 't.b'], 'hard', true)).rejects.toThrow('1 tags could not be');
  });

  test('counters of tags and groups end after a month, those of URLs, prefixes and the clock never', async () => {
    const names = ['t.a', 'h.b', 'g.c', 'u.1', 'p.1', 'all', CLOCK];
    const expected = [MONTH, MONTH, MONTH, null, null, null, null];
    const timeouts = () => names.map((name) => cache.timeouts.get(`cachewright.tag.${name}`));
    await tags.note(names);
    expect(timeouts()).toEqual(expected);
    for (const mode of ['soft', 'hard'] as const) {
      cache.timeouts.clear();
      await tags.purge(names.slice(0, -1), mode, true);
      expect(timeouts()).toEqual(expected);
    }
  });

  test('what has expired by the clock of one machine is purged for those behind it', async () => {
    const entry = await entryOf(tags, 't.a');
    const noted = await tags.note([]);
    const ahead = Object.assign(Object.create(cache) as MapCounters, {
      incr: async (key: string) => {
        throw new CacheKeyNotFoundError(key, 'incr');
      },
    });
    await new Tags(new SharedTagStore(ahead)).purge(['t.a'], 'soft', true);
    expect(await tags.check(entry)).toBe('purged');
    expect(await tags.confirm(noted, ['t.a'])).toBeUndefined();
  });

  test('where errors are misses, counters out of reach are no purge', async () => {
    await tags.note(['t.a']);
    cache.incr = async (key) => {
      throw new CacheKeyNotFoundError(key, 'incr');
    };
    cache.refused = [A_KEY];
    await expect(tags.purge(['t.a'], 'soft', false)).rejects.toThrow('could not be purged');
    cache.refused = [CLOCK_KEY];
    await expect(tags.purge(['t.a'], 'hard', true)).rejects.toThrow('could not be purged');
  });

  test('a failure to count is no purge', async () => {
    await tags.note(['t.a']);
    cache.incr = async () => {
      throw new Error('down');
    };
    await expect(tags.purge(['t.a'], 'soft', false)).rejects.toThrow('down');
    await expect(tags.purge(['t.a'], 'hard', true)).rejects.toThrow('down');
  });

  test('a hit costs one read, a fill that knows its tags two', async () => {
    const entry = await entryOf(tags, 't.a', 't.b', 't.c');
    cache.calls = [];
    await tags.check(entry);
    expect(cache.calls).toEqual(['read 3']);
    const noted = await tags.note(['t.a', 't.b', 't.c']);
    await tags.confirm(noted, ['t.a']);
    expect(cache.calls).toEqual(['read 3', 'read 4', 'read 4']);
    // Late tags: with the clock, then it again with those known before, and no log.
    await tags.purge(['t.d'], 'hard', true);
    const unknowing = await tags.note(['t.a']);
    cache.calls = [];
    await tags.confirm(unknowing, ['t.b', 't.c']);
    expect(cache.calls).toEqual(['read 3', 'read 2']);
  });
});

describe('on local memory', () => {
  let store: LocalTagStore;
  let tags: Tags;

  beforeEach(() => {
    store = new LocalTagStore();
    tags = new Tags(store);
  });

  test('nothing is waited for', () => {
    const noted = tags.note(['t.a']);
    expect(noted).not.toBeInstanceOf(Promise);
    const entry = tags.confirm(noted as never, ['t.b']);
    expect(entry).toBeInstanceOf(Map);
    expect(tags.check(entry as never)).toBe('valid');
    expect(tags.purge(['t.a'], 'hard', true)).toBeUndefined();
    expect(tags.check(entry as never)).toBe('purged');
  });

  test('the sequence stands still but for purges and counters that are lost', async () => {
    const { sequence } = tags;
    await entryOf(tags, 't.a');
    await tags.confirm(await tags.note([]), ['t.b']);
    expect(tags.sequence).toBe(sequence);
    const seen = new Set([sequence]);
    for (const mode of ['hard', 'soft'] as const) {
      await tags.purge(['t.a'], mode, false);
      seen.add(tags.sequence);
    }
    store.clear();
    seen.add(tags.sequence);
    expect(seen.size).toBe(4);
  });

  test('clear() makes all entries invalid, and what is being made', async () => {
    const entry = await entryOf(tags, 't.a');
    const noted = await tags.note(['t.a']);
    const unknowing = await tags.note([]);
    store.clear();
    expect(await tags.check(entry)).toBe('purged');
    expect(await tags.confirm(noted, [])).toBeUndefined();
    expect(await tags.confirm(unknowing, ['t.b'])).toBeUndefined();
    await tags.note(['t.a']);
    expect(await tags.check(entry)).toBe('purged');
  });

  test('what was never purged takes no memory, and is purged with what is forgotten', async () => {
    const entry = await entryOf(tags, 't.a');
    const other = await entryOf(tags, 't.b');
    const unknowing = await tags.note([]);
    for (let i = 0; i < 200_000 - 1; i += 1) store.advance([`t.${i}`], 'hard');
    await tags.purge(['t.b'], 'hard', false);
    const { sequence } = tags;
    expect(await tags.check(entry)).toBe('valid');
    expect(await tags.check(other)).toBe('purged');
    // Of 200 000, that were changed, there is one too many.
    const now = await tags.note([]);
    store.advance(['t.more'], 'soft');
    expect(tags.sequence).not.toBe(sequence);
    expect(await tags.check(entry)).toBe('purged');
    expect(await tags.check(other)).toBe('purged');
    for (const noted of [unknowing, now]) {
      expect(await tags.confirm(noted, ['t.c'])).toBeUndefined();
    }
    expect(await tags.check(await entryOf(tags, 't.a'))).toBe('valid');
  });

  test('the log is bounded', () => {
    for (let i = 0; i < 2000; i += 1) tags.purge([`t.${i}`], 'hard', true);
    const [now] = store.read([CLOCK]);
    const known = store.readLog(Array.from({ length: 2000 }, (_, i) => now! - i));
    expect(known.filter((names) => names !== undefined)).toHaveLength(1000);
    expect(known[0]).toEqual(['t.1999']);
  });
});

describe('a server that tells the history of its data', () => {
  let cache: MapCounters;
  let tags: Tags;
  beforeEach(() => {
    cache = new MapCounters();
    cache.history = 2 ** 36 - 1;
    tags = new Tags(new SharedTagStore(cache));
  });

  test('has entries of another history purged, and those of its own kept', async () => {
    const before = await entryOf(tags, 't.a', 'all');
    expect(await tags.check(before)).toBe('valid');
    cache.history = 7;
    expect(await tags.check(before)).toBe('purged');
    const after = await entryOf(tags, 't.a');
    expect(await tags.check(after)).toBe('valid');
    cache.history = undefined;
    expect(await tags.check(after)).toBe('purged');
  });

  test('has what was purged softly stale', async () => {
    const entry = await entryOf(tags, 't.a');
    await tags.purge(['t.a'], 'soft', true);
    expect(await tags.check(entry)).toBe('stale');
    await tags.purge(['t.a'], 'hard', true);
    expect(await tags.check(entry)).toBe('purged');
  });

  test('has a fill come to nothing that went on from one history into another', async () => {
    const noted = await tags.note(['t.a']);
    cache.history = 7;
    expect(await tags.confirm(noted, [])).toBeUndefined();
  });

  test('takes tags that came late, and finds purges by the clock', async () => {
    const noted = await tags.note(['t.a']);
    await tags.purge(['t.other'], 'hard', true);
    expect(await tags.confirm(noted, ['t.late'])).toBeDefined();
    await tags.purge(['t.late'], 'hard', true);
    expect(await tags.confirm(noted, ['t.late'])).toBeUndefined();
  });

  test('is the same to all processes', async () => {
    const other = new Tags(new SharedTagStore(cache));
    const entry = await entryOf(tags, 't.a');
    expect(await other.check(entry)).toBe('valid');
    expect(await tags.check(await entryOf(other, 't.a', 't.b'))).toBe('valid');
  });
});
