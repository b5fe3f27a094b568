import { setImmediate } from 'node:timers/promises';
import {
  Coherence,
  type CoherencePorts,
  type TierClock,
} from '../../../src/backends/tiered/coherence';
import type { BusListener } from '../../../src/cache/message-bus';

/** A store that may be set back, and whose messages all get lost. */
function makeStore(after: TierClock['after'] = () => () => {}) {
  const store = { ledger: undefined as string | undefined, isTakenByOthers: false };
  const join = () => {
    const told: (readonly string[] | 'all')[] = [];
    let heard: BusListener | undefined;
    const ports: CoherencePorts = {
      register: {
        isAtomic: true,
        read: async () => store.ledger,
        swap: async (from, to) => {
          if (store.ledger !== from || store.isTakenByOthers) return false;
          store.ledger = to;
          return true;
        },
      },
      bus: {
        maxBytes: 1000,
        listen: async (_channels, listener) => {
          heard = listener;
        },
        say: async () => {},
        close: async () => {},
      },
      channel: 'channel',
      clock: { now: () => 0, after },
      trustMs: 100,
      follower: {
        onChange: (names) => told.push(names),
        onLoss: () => told.push('all'),
        onIdle: () => {},
      },
    };
    const coherence = new Coherence(ports);
    coherence.join();
    return { coherence, told, onGap: () => heard!.onGap() };
  };
  return { store, join };
}

test('a ledger that was set back and is as far on again is not taken for the one that was followed', async () => {
  const { store, join } = makeStore();
  const one = join();
  await setImmediate();
  const copy = store.ledger;
  await one.coherence.announce(['lost']);
  store.ledger = copy;
  const two = join();
  await two.coherence.announce(['changed']);
  one.told.length = 0;
  one.onGap();
  await setImmediate();
  expect(one.told).toEqual(['all']);
  expect(one.coherence.isTrusted).toBe(true);
  one.told.length = 0;
  await two.coherence.announce(['later']);
  await one.coherence.announce([]);
  expect(one.told).toEqual([['later'], []]);
});

test('a ledger that was set back, and is as far on again, is told by its changes alone', async () => {
  const { store, join } = makeStore();
  const one = join();
  await setImmediate();
  for (const changes of [1, 2]) {
    const copy = store.ledger;
    await one.coherence.announce(['lost']);
    store.ledger = copy;
    const two = join();
    for (let i = 0; i < changes; i += 1) await two.coherence.announce(['changed']);
    one.told.length = 0;
    await one.coherence.announce(['own']);
    expect(one.told).toEqual(['all']);
    await two.coherence.announce(['later']);
    await one.coherence.announce([]);
    expect(one.told).toEqual(['all', ['later'], []]);
  }
});

test('who finds the ledger written by others again and again makes way for longer, and gives up', async () => {
  const pauses: number[] = [];
  const { store, join } = makeStore((ms, isIdle, work) => {
    if (!isIdle && store.isTakenByOthers) {
      pauses.push(ms);
      void Promise.resolve().then(work);
    }
    return () => {};
  });
  const { coherence } = join();
  await setImmediate();
  const random = jest.spyOn(Math, 'random').mockReturnValue(0.5);
  store.isTakenByOthers = true;
  await expect(coherence.announce(['key'])).rejects.toThrow(/50 times in a row/);
  random.mockRestore();
  expect(pauses).toHaveLength(50);
  expect(pauses.slice(0, 8)).toEqual([1, 2, 4, 8, 16, 32, 64, 100]);
  expect(Math.max(...pauses)).toBe(100);
});
