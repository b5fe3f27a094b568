import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Fault, ModelStore, Outcome } from './tags-model';

const RUN = join(__dirname, 'tags-model-run.ts');

/** As many interleavings, looked at by a process of their own. */
async function explore(store: ModelStore, runs: number, fault?: Fault): Promise<Outcome> {
  const args = ['--import', 'tsx', RUN, String(store), String(runs), ...(fault ? [fault] : [])];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 500_000 });
  return JSON.parse(stdout) as Outcome;
}

test.each<[ModelStore, number]>([
  ['atomic', 50_000],
  ['unatomic', 50_000],
  ['local', 100_000],
])(
  'no read that began after a purge resolved is shown anything older (counters: %s)',
  async (store, runs) => {
    const { seed, counts, violation } = await explore(store, runs);
    expect({ seed, violation }).toEqual({ seed: runs, violation: undefined });
    // Where nothing of this happens, nothing is proved.
    const { stale, ...others } = counts;
    for (const [event, count] of Object.entries(others)) {
      expect([event, count > runs / 100]).toEqual([event, true]);
    }
    expect(stale > runs / 100).toBe(store !== 'unatomic');
  },
  600_000,
);

describe('the model finds', () => {
  test.each<[Fault, readonly ModelStore[]]>([
    ['noted at the end', ['atomic', 'unatomic', 'local']],
    ['late tags unchecked', ['atomic', 'unatomic', 'local']],
    ['log says nothing', ['atomic', 'local']],
    ['logged last', ['atomic', 'unatomic']],
    ['logged first', ['atomic']],
    ['purge not awaited', ['atomic', 'unatomic']],
    ['purges not counted', ['unatomic']],
    ['missing counter made as it was', ['atomic', 'unatomic']],
    ['counted in two steps', ['atomic']],
  ])('a fault: %s', async (fault, stores) => {
    for (const store of stores) {
      const { violation } = await explore(store, 40_000, fault);
      expect([store, violation]).toEqual([
        store,
        expect.stringMatching(/^(valid|stale): version \d+ of item \d, purged for version \d+$/),
      ]);
    }
  });
});
