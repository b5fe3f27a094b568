// What a hit costs, beside bare Node, beside Express without a cache, and beside apicache.
//
//   npm run bench
//   npm run bench -- --rounds 9 --seconds 3 --sizes 2,40 --node 24
//
// Each server has a process of its own, as has the load generator. The servers take turns, so that
// what else the machine does meets all of them. `npm run bench:full` compares with all others.
import { parseArgs } from 'node:util';
import { SHORT_LIST } from './contenders';
import { toCount, toCounts } from './harness/options';
import { describeRun, prepareRun } from './harness/run';
import { formatText } from './harness/table';
import { hitsTable, measureHits } from './hits';
import { judgeMissRates, verdictTable } from './limits';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '1' },
      sizes: { type: 'string', default: '2,40' },
      node: { type: 'string' },
    },
  });
  const rounds = toCount(values.rounds, 'rounds');
  const seconds = toCount(values.seconds, 'seconds');
  const sizes = toCounts(values.sizes, 'sizes');
  const run = prepareRun(values.node);
  console.log(describeRun(run, { rounds, seconds }));
  try {
    for (const size of sizes) {
      const options = { ...run, ids: SHORT_LIST, bytes: size * 1024, rounds, seconds };
      const stores = { redisUrl: '', memcachedUrl: '', whyMissing: () => undefined };
      const result = await measureHits({ ...options, ...stores });
      console.log(`\n${formatText(hitsTable(result))}`);
      const faults = judgeMissRates([result]);
      if (faults.length > 0) throw new Error(formatText(verdictTable(faults)));
    }
  } finally {
    run.load.close();
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
