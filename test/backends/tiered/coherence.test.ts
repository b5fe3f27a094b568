import { setImmediate } from 'node:timers/promises';
import { Coherence, type CoherencePorts } from '../../../src/backends/tiered/coherence';
import type { BusListener } from '../../../src/cache/message-bus';

/** A store that may be set back, and whose messages all get lost. */
function makeStore() {
  const store = { ledger: undefined as string | undefined };
  const join = () => {
    const told: (readonly string[] | 'all')[] = [];
    let heard: BusListener | undefined;
    const ports: CoherencePorts = {
      register: {
        isAtomic: true,
        read: async () => store.ledger,
        swap: async (from, to) => {
          if (store.ledger !== from) return false;
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
      clock: { now: () => 0, after: () => () => {} },
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
