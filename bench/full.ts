// What hits, misses and stampedes cost, beside all who offer the same, and whether our promises hold.
//
//   npm run bench:full
//   npm run bench:full -- --node 24 --markdown
//   npm run bench:full -- --suites hits --sizes 2 --only 'redis|bareNode' --rounds 3
//
// What a machine lacks of nginx, Varnish, Redis and Memcached is left out by name. Peers that the
// project does not depend on are installed into bench/peers. Fails if a limit is passed.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startMemcached, startRedis } from '../test/support/servers';
import globalSetup from '../test/support/servers/global-setup';
import globalTeardown from '../test/support/servers/global-teardown';
import { findProgram } from '../test/support/servers/programs';
import { CONTENDERS, type ContenderId, type Need } from './contenders';
import { pinProcess } from './harness/cores';
import { toChosen, toCount, toCounts } from './harness/options';
import { describeRun, prepareRun, type Run } from './harness/run';
import { formatMarkdown, formatText, type Table } from './harness/table';
import { type HitsResult, hitsTable, measureHits, together } from './hits';
import {
  judgeHits,
  judgeMisses,
  judgeMissRates,
  judgeStampede,
  type Verdict,
  verdictTable,
} from './limits';
import { type MissesResult, measureMisses, missesTable } from './misses';
import { hasPeers } from './peers/load';
import { measureStampede, stampedeTable } from './stampede';

const SUITES = ['hits', 'misses', 'stampede'] as const;

/** The programs that bring what a contender needs. */
const PROGRAMS: Partial<Record<Need, string>> = {
  redis: 'redis-server',
  memcached: 'memcached',
  nginx: 'nginx',
  varnish: 'varnishd',
};

/**
 * Rounds for which servers of hits live. What V8 makes of a program differs from one run of it to
 * the next by as much as some of the contenders from each other.
 */
const ROUNDS_PER_START = 2;

interface Options {
  readonly suites: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  /** In bytes. */
  readonly sizes: readonly number[];
  readonly ids: readonly ContenderId[];
  readonly print: (table: Table) => void;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      suites: { type: 'string', default: SUITES.join(',') },
      rounds: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '1' },
      sizes: { type: 'string', default: '2,40,1024' },
      only: { type: 'string', default: '' },
      node: { type: 'string' },
      markdown: { type: 'boolean', default: false },
    },
  });
  const format = values.markdown ? formatMarkdown : formatText;
  const options: Options = {
    suites: toSuites(values.suites),
    rounds: toCount(values.rounds, 'rounds'),
    seconds: toCount(values.seconds, 'seconds'),
    sizes: toCounts(values.sizes, 'sizes').map((size) => size * 1024),
    ids: toChosen(values.only, Object.keys(CONTENDERS) as ContenderId[], 'only'),
    print: (table) => console.log(`\n${format(table)}`),
  };
  const run = prepareRun(values.node);
  await globalSetup();
  try {
    console.log(describeRun(run, options));
    await measureAll(run, options);
  } finally {
    run.load.close();
    await globalTeardown();
  }
}

function toSuites(text: string): string[] {
  const suites = text.split(',');
  const unknown = suites.find((suite) => !(SUITES as readonly string[]).includes(suite));
  if (unknown === undefined) return suites;
  throw new TypeError(`--suites has ${JSON.stringify(unknown)}. There are: ${SUITES.join(', ')}.`);
}

async function measureAll(run: Run, options: Options): Promise<void> {
  const { suites, sizes, rounds, seconds, print } = options;
  const verdicts: Verdict[] = [];
  if (suites.includes('hits')) {
    installPeers();
    const results: HitsResult[] = [];
    for (const bytes of sizes) {
      const result = await measureSize(run, options, bytes);
      results.push(result);
      if (result.turns.size > 0) print(hitsTable(result));
    }
    verdicts.push(...judgeMissRates(results));
    verdicts.push(...judgeHits(results, Number(/\d+/.exec(run.nodeVersion)![0])));
  }
  if (suites.includes('misses')) {
    const results: MissesResult[] = [];
    for (const handler of ['list', 'view', 'nothing'] as const) {
      for (const bytes of sizes.filter((size) => size < 1024 * 1024)) {
        results.push(await measureMisses({ ...run, handler, bytes, rounds, seconds }));
      }
    }
    print(missesTable(results));
    verdicts.push(...judgeMisses(results));
  }
  if (suites.includes('stampede')) {
    const results = await measureStampede({ ...run, rounds, whyMissing });
    print(stampedeTable(results));
    verdicts.push(...judgeStampede(results));
  }
  if (verdicts.length > 0) print(verdictTable(verdicts));
  if (verdicts.some(({ isKept }) => !isKept)) process.exitCode = 1;
}

async function measureSize(run: Run, options: Options, bytes: number): Promise<HitsResult> {
  const results: HitsResult[] = [];
  for (let left = options.rounds; left > 0; left -= ROUNDS_PER_START) {
    const rounds = Math.min(left, ROUNDS_PER_START);
    results.push(await measureStart(run, { ...options, rounds }, bytes));
  }
  return together(results);
}

async function measureStart(
  run: Run,
  { rounds, seconds, ids }: Options,
  bytes: number,
): Promise<HitsResult> {
  // Empty ones each time: those who cache by hand use the same keys.
  const redis = whyMissing('redis') === undefined ? await startRedis() : undefined;
  const memcached = whyMissing('memcached') === undefined ? await startMemcached() : undefined;
  const stores = [redis, memcached].filter((store) => store !== undefined);
  for (const { pid } of stores) pinProcess('load', pid);
  try {
    return await measureHits({
      ...{ ...run, ids, bytes, rounds, seconds, whyMissing },
      redisUrl: redis?.url ?? '',
      memcachedUrl: memcached?.url ?? '',
    });
  } finally {
    for (const store of stores) await store.stop();
  }
}

function whyMissing(need: Need): string | undefined {
  if (need === 'peers') return hasPeers() ? undefined : 'bench/peers is not installed';
  const program = PROGRAMS[need];
  if (program === undefined || findProgram(program) !== undefined) return undefined;
  return `${program} is not installed`;
}

function installPeers(): void {
  if (hasPeers()) return;
  console.log('\nInstalling bench/peers …');
  execFileSync('npm', ['ci'], { cwd: join(__dirname, 'peers'), stdio: 'inherit' });
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
