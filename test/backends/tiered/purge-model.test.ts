import { explore, type Fault } from './purge-model';

/** `PURGE_MODEL_RUNS=100000` looks at as many interleavings. */
const RUNS = Number(process.env.PURGE_MODEL_RUNS ?? 300);

const DAY_MS = 24 * 3600 * 1000;

test(
  'with local tiers, no read that began after a purge resolved is shown anything older',
  async () => {
    const { violation, seed, counts } = await explore(RUNS);
    expect({ violation, seed }).toEqual({ violation: undefined, seed: RUNS });
    // Where nothing of this happens, nothing is proved.
    for (const [event, count] of Object.entries(counts)) {
      expect([event, count > RUNS / 10]).toEqual([event, true]);
    }
    expect(counts['near page']).toBeGreaterThan(RUNS);
  },
  DAY_MS,
);

test.each<Fault>([
  'noted at the end',
  'changes are not told',
  'copies of counters never dropped',
  'placeholders ignored',
  'removals not noted',
  'place ignored',
  'place opened last',
])(
  'a fault is found: %s',
  async (fault) => {
    const { violation } = await explore(5000, { fault });
    expect(violation).toMatch(/^(page|value): version \d+, purged for version \d+$/);
  },
  120_000,
);
