// How often a page is rendered that a thousand visitors of four processes ask for at once, none of
// which has it, nor has used its cache before; and how long visitors wait if the process that
// renders it is killed.
//
//   npm run bench:cold-flight
//   npm run bench:cold-flight -- memcached 20
//
// With the deadlines that pages have by default. The servers are started here. Fails if a page is
// rendered twice while its server is there, or if anybody waits for longer than a lease lasts.

import { OUTAGE_BACKENDS, type OutageBackend } from '../test/outages/backends';
import { type PageProcess, startPageProcess } from '../test/support/page-processes';
import type { NetworkServer } from '../test/support/servers';
import globalSetup from '../test/support/servers/global-setup';
import globalTeardown from '../test/support/servers/global-teardown';

const PROCESSES = 4;
const VISITORS = 250;
const HANDLER_MS = 300;
const ROUNDS = 10;
/** The page that is asked for while the server is stopped. */
const ALONE = '/alone';
/** Memcached counts in whole seconds, the first of which may be short: one more. */
const LEASE_MS = { redis: 2000, memcached: 3000, postgres: 2000 };
const BEYOND_LEASE_MS = 300;

async function main(): Promise<void> {
  const [only, rounds = ROUNDS] = process.argv.slice(2);
  await globalSetup();
  try {
    for (const backend of OUTAGE_BACKENDS) {
      if (only === undefined || only === backend.kind) await measure(backend, Number(rounds));
    }
  } finally {
    await globalTeardown();
  }
}

async function measure(backend: OutageBackend, rounds: number): Promise<void> {
  const { name, kind, start, prepare } = backend;
  const server = await start();
  await prepare?.(server);
  const once = Array.from({ length: rounds }, () => 1);
  console.log(`\n${name}, ${PROCESSES} × ${VISITORS} visitors, a handler of ${HANDLER_MS} ms:`);

  const cold: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const site = await startSite(backend, server);
    cold.push(await countRuns(site, `/cold-${round}`));
    await closeAll(site);
  }
  print('runs, processes just started', cold, String(cold) === String(once));

  const site = await startSite(backend, server);
  const warm: number[] = [];
  await countRuns(site, '/first');
  for (let round = 0; round < rounds; round += 1) {
    warm.push(await countRuns(site, `/warm-${round}`));
  }
  print('runs, processes at work', warm, String(warm) === String(once));
  await closeAll(site);

  const limitMs = LEASE_MS[kind] + BEYOND_LEASE_MS;
  const waits: number[] = [];
  for (let round = 0; round < Math.ceil(rounds / 2); round += 1) {
    waits.push(await killHolder(await startSite(backend, server), `/killed-${round}`));
  }
  print(
    `ms after the holder was killed, at most ${limitMs}`,
    waits,
    waits.every((ms) => ms <= limitMs),
  );

  const alone = await startSite(backend, server);
  await server.kill();
  const runs = await countRuns(alone, ALONE);
  print('runs, server stopped', [runs], runs === PROCESSES);
  await closeAll(alone);
  await server.stop();
}

function startSite(backend: OutageBackend, server: NetworkServer): Promise<PageProcess[]> {
  const plan = { cache: backend.cacheOf(server), handlerMs: HANDLER_MS };
  return Promise.all(Array.from({ length: PROCESSES }, () => startPageProcess(plan)));
}

async function closeAll(site: readonly PageProcess[]): Promise<void> {
  await Promise.all(site.map((one) => one.close()));
}

async function tally(site: readonly PageProcess[]): Promise<number[]> {
  return (await Promise.all(site.map((one) => one.tally()))).map(({ calls }) => calls);
}

/** How often the handlers run for all visitors of one page. If twice or more, tells the reason. */
async function countRuns(site: readonly PageProcess[], path: string): Promise<number> {
  const before = sum(await tally(site));
  await Promise.all(site.flatMap((one) => Array.from({ length: VISITORS }, () => one.get(path))));
  const after = await Promise.all(site.map((one) => one.tally()));
  const runs = sum(after.map(({ calls }) => calls)) - before;
  const failures = new Set(after.flatMap((one) => one.failures));
  const isUnexpected = runs > 1 && path !== ALONE;
  if (isUnexpected) for (const failure of failures) console.log(`    ${path}: ${failure}`);
  return runs;
}

/** Milliseconds until all visitors of the others are answered after the one that renders is killed. */
async function killHolder(site: readonly PageProcess[], path: string): Promise<number> {
  const answers = site.map((one) =>
    Promise.allSettled(Array.from({ length: VISITORS }, () => one.get(path))),
  );
  let holder = -1;
  while (holder === -1) holder = (await tally(site)).findIndex((calls) => calls > 0);
  await site[holder]!.kill();
  const killedAt = performance.now();
  const rest = (await Promise.all(answers.filter((_answer, i) => i !== holder))).flat();
  const waitedMs = performance.now() - killedAt;
  if (rest.some(({ status }) => status === 'rejected')) throw new Error('A request failed.');
  await closeAll(site.filter((_one, i) => i !== holder));
  return Math.round(waitedMs);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function print(what: string, figures: readonly number[], isKept: boolean): void {
  console.log(`  ${what.padEnd(46)}${figures.join(' ')}${isKept ? '' : '   too much'}`);
  if (!isKept) process.exitCode = 1;
}

main();
