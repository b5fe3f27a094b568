import { TieredTagStore } from '../../../src/backends/tiered/tag-store';
import { CLOCK, type TagStore, Tags } from '../../../src/cache/tags';
import { deferred } from '../../support/deferred';

const MAX_AGE_MS = 1000;

/** Counters of a shared cache, and what is asked of it. */
function setUp() {
  const counters = new Map([
    ['t.a', 1],
    ['t.b', 2],
    [CLOCK, 5],
  ]);
  const asked: string[][] = [];
  let gate: Promise<void> | undefined;
  const shared = {
    sequence: undefined,
    countsPurges: true,
    read: async (names: readonly string[]) => {
      asked.push([...names]);
      const values = names.map((name) => counters.get(name));
      await gate;
      return values;
    },
  } as unknown as TagStore;
  const state = { isTrusted: true, isFollowing: true, now: 0 };
  const host = {
    isTrusted: () => state.isTrusted,
    isFollowing: () => state.isFollowing,
    now: () => state.now,
    announce: async () => {},
  };
  const store = new TieredTagStore(shared, host, MAX_AGE_MS);
  const hold = () => {
    const held = deferred<void>();
    gate = held.promise;
    return held;
  };
  return { store, counters, asked, state, hold };
}

test('counters that were read are known at once', async () => {
  const { store, asked } = setUp();
  expect(await store.read(['t.a', 't.b'])).toEqual([1, 2]);
  expect(store.read(['t.b', 't.a'])).toEqual([2, 1]);
  expect(asked).toEqual([['t.a', 't.b']]);
});

test('counters of removals, of which nobody is told, are asked for each time', async () => {
  const { store, counters } = setUp();
  counters.set('k.1', 3);
  expect(await store.read(['t.a', 'k.1'])).toEqual([1, 3]);
  counters.set('k.1', 4);
  expect(await store.read(['t.a', 'k.1'])).toEqual([1, 4]);
});

test('what is told to have changed is asked for, and the sequence moves on', async () => {
  const { store, counters, asked } = setUp();
  await store.read(['t.a', 't.b']);
  const { sequence } = store;
  counters.set('t.a', 7);
  store.forget(['t.a']);
  expect(store.sequence).not.toBe(sequence);
  expect(store.read(['t.b'])).toEqual([2]);
  expect(await store.read(['t.a'])).toEqual([7]);
  expect(asked).toHaveLength(2);
});

test('what was read before a change was told, and comes after, is not remembered', async () => {
  const { store, counters, hold } = setUp();
  const held = hold();
  const early = store.read(['t.a']);
  counters.set('t.a', 7);
  store.forget(['t.a']);
  held.resolve();
  expect(await early).toEqual([1]);
  expect(await store.read(['t.a'])).toEqual([7]);
});

test('a process that does not trust itself asks, and has no sequence', async () => {
  const { store, state, counters, asked } = setUp();
  await store.read(['t.a']);
  state.isTrusted = false;
  expect(store.sequence).toBeUndefined();
  counters.set('t.a', 7);
  expect(await store.read(['t.a'])).toEqual([7]);
  expect(asked).toHaveLength(2);
});

test('one that does not follow changes remembers nothing', async () => {
  const { store, state } = setUp();
  state.isFollowing = false;
  await store.read(['t.a']);
  expect(store.read(['t.a'])).toBeInstanceOf(Promise);
});

test('fills ask for all that they note, as it is today', async () => {
  const { store, counters, asked } = setUp();
  await store.read(['t.a']);
  counters.set('t.a', 7);
  const noted = await new Tags(store).note(['t.a']);
  expect(noted.counters).toEqual(new Map([['t.a', 7]]));
  expect(asked[1]).toEqual([CLOCK, 't.a']);
});

test('nothing is remembered for longer than its age', async () => {
  const { store, state, counters } = setUp();
  await store.read(['t.a']);
  const { sequence } = store;
  counters.set('t.a', 7);
  state.now = MAX_AGE_MS - 1;
  expect(store.read(['t.a'])).toEqual([1]);
  expect(store.sequence).toBe(sequence);
  state.now = MAX_AGE_MS;
  expect(store.sequence).not.toBe(sequence);
  expect(await store.read(['t.a'])).toEqual([7]);
});
