import { explore, type Fault, type ModelStore } from './coherence-model';

const RUNS = 1000;

describe.each<ModelStore>(['messages', 'ledger', 'unatomic'])(
  'local tiers kept true by %s',
  (store) => {
    test('no read that began after a write was fulfilled gets what was before, but for the moment after the store was set back', async () => {
      const { violation, seed, counts, steps } = await explore(store, RUNS);
      expect({ violation, seed }).toEqual({ violation: undefined, seed: RUNS });
      // It is no proof if nothing happens in it.
      expect(counts.near).toBeGreaterThan(10 * RUNS);
      expect(counts.written).toBeGreaterThan(2 * RUNS);
      expect(steps).toBeGreaterThan(100 * RUNS);
      for (const count of Object.values(counts)) expect(count).toBeGreaterThan(RUNS / 10);
    });
  },
);

test.each<[Fault, ModelStore]>([
  ['kept whatever was told meanwhile', 'messages'],
  ['answers not awaited', 'messages'],
  ['answers not awaited', 'ledger'],
  ['answers not awaited', 'unatomic'],
  ['gap ignored', 'messages'],
  ['told before it is written', 'messages'],
  ['ledger read from a replica', 'ledger'],
  ['copies used without trust', 'messages'],
  ['copies used without trust', 'unatomic'],
])('the model finds it if there is a fault: %s, by %s', async (fault, store) => {
  const { violation } = await explore(store, 8000, { fault });
  expect(violation).toMatch(/^near: . was \d+, and \d+ had been written$/);
});
