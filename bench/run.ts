// What a hit costs, beside bare Node, beside Express without a cache, and beside apicache.
//
//   npm run bench
//   npm run bench -- --rounds 9 --seconds 3 --sizes 2,40 --node 24
//   npm run bench -- --against ../other/dist/index.js --only cachePage
//
// Each server has a process of its own, as has the load generator. The servers take turns, so that
// what else the machine does meets all of them. `npm run bench:full` compares with all others.
// With --against, what a hit costs is compared with another build instead.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type AgainstOptions, againstTable, CASES, measureAgainst } from './against';
import { SHORT_LIST } from './contenders';
import { toBuild, toChosen, toCount, toCounts } from './harness/options';
import { describeRun, prepareRun, type Run } from './harness/run';
import { formatText } from './harness/table';
import { hitsTable, measureHits } from './hits';
import { judgeMissRates, verdictTable } from './limits';

const OWN_BUILD = join(__dirname, '../dist/index.js');

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string', default: '1' },
      sizes: { type: 'string' },
      node: { type: 'string' },
      against: { type: 'string' },
      only: { type: 'string' },
    },
  });
  const { against, only } = values;
  const old = against === undefined ? undefined : toBuild(against, 'against');
  if (old === undefined && only !== undefined) {
    throw new TypeError('--only chooses what is compared with another build. Give --against, too.');
  }
  const labels = toChosen(
    only ?? '',
    CASES.map(({ label }) => label),
    'only',
  );
  const rounds = toCount(values.rounds ?? (old === undefined ? '3' : '8'), 'rounds');
  const seconds = toCount(values.seconds, 'seconds');
  const sizes = toCounts(values.sizes ?? (old === undefined ? '2,40' : '2'), 'sizes');
  const run = prepareRun(values.node);
  console.log(describeRun(run, { rounds, seconds }, old === undefined ? 'contenders' : 'builds'));
  try {
    for (const size of sizes) {
      const options = { ...run, bytes: size * 1024, rounds, seconds };
      if (old === undefined) await compareContenders(options);
      else await compareBuilds({ ...options, builds: { old, new: OWN_BUILD } }, labels);
    }
  } finally {
    run.load.close();
  }
}

type Measure = Run & { readonly bytes: number; readonly rounds: number; readonly seconds: number };

async function compareContenders(options: Measure): Promise<void> {
  const stores = { redisUrl: '', memcachedUrl: '', whyMissing: () => undefined };
  const result = await measureHits({ ...options, ids: SHORT_LIST, ...stores });
  console.log(`\n${formatText(hitsTable(result))}`);
  const faults = judgeMissRates([result]);
  if (faults.length > 0) throw new Error(formatText(verdictTable(faults)));
}

async function compareBuilds(
  options: Measure & Pick<AgainstOptions, 'builds'>,
  labels: readonly string[],
): Promise<void> {
  const cases = CASES.filter(({ label }) => labels.includes(label));
  const results = await measureAgainst({ ...options, cases });
  console.log(`\n${formatText(againstTable(options.bytes, results))}`);
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
