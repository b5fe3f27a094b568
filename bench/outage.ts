// What visitors of a busy site feel when the server of its cache freezes, dies and comes back.
//
//   npm run bench:outage
//   npm run bench:outage -- redis
//
// The site and the load generator have a process each; the servers are started here. Fails if a
// request fails, or waits for longer than the page cache promises.

import { OUTAGE_BACKENDS, type OutageBackend } from '../test/outages/backends';
import { startPageProcess } from '../test/support/page-processes';
import globalSetup from '../test/support/servers/global-setup';
import globalTeardown from '../test/support/servers/global-teardown';
import { quantile, type Sample, steadyLoad } from '../test/support/steady-load';

const PER_SECOND = 200;
const HANDLER_MS = 5;
const READ_DEADLINE_MS = 100;
const RECOVERY_MS = 2000;
const ROUNDS = 20;

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function main(): Promise<void> {
  const only = process.argv[2];
  await globalSetup();
  try {
    for (const backend of OUTAGE_BACKENDS) {
      if (only === undefined || only === backend.kind) await measure(backend);
    }
  } finally {
    await globalTeardown();
  }
}

async function measure({ name, start, prepare, cacheOf }: OutageBackend): Promise<void> {
  const server = await start();
  await prepare?.(server);
  const site = await startPageProcess({ cache: cacheOf(server), handlerMs: HANDLER_MS });
  const isOpen = async () =>
    (await site.tally()).failures.some((failure) => failure.includes('left alone'));

  // Each page is asked for twice, so that half of the requests are hits while all is well.
  const load = steadyLoad(PER_SECOND, (i) => site.get(`/${Math.floor(i / 2)}`));
  await pass(4000);
  const frozenAt = load.now();
  server.freeze();
  while (!(await isOpen())) await pass(10);
  const openAt = load.now();
  await pass(4000);
  const thawedAt = load.now();
  server.thaw();
  await pass(2000);
  const samples = await load.stop();

  const between = (from: number, to: number) => samples.filter(({ at }) => at >= from && at < to);
  const calmMs = quantile(between(1000, frozenAt - 50), 0.99);
  const added = (phase: readonly Sample[]) => quantile(phase, 0.99) - calmMs;
  const frozenMs = added(between(frozenAt, openAt));
  const openMs = added(between(openAt, thawedAt));
  const failed = samples.filter(({ error }) => error !== undefined).length;

  const load2 = steadyLoad(PER_SECOND, (i) => site.get(`/round-${i % 50}`));
  let longestMs = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    server.freeze();
    while (!(await isOpen())) await pass(10);
    await server.kill();
    await server.restart();
    const backAt = performance.now();
    for (let i = 0; !(await isStored(site.isHit, `/${name}-${round}-${i}`)); i += 1) await pass(20);
    longestMs = Math.max(longestMs, performance.now() - backAt);
  }
  const failed2 = (await load2.stop()).filter(({ error }) => error !== undefined).length;
  await site.close();
  await server.stop();

  const lines: [string, string, boolean][] = [
    ['requests', String(samples.length), true],
    ['failed', String(failed + failed2), failed + failed2 === 0],
    ['p99 while all is well', `${calmMs.toFixed(1)} ms`, true],
    ['left alone after', `${(openAt - frozenAt).toFixed(0)} ms`, true],
    ['added p99 until then', `${frozenMs.toFixed(1)} ms`, frozenMs < 2 * READ_DEADLINE_MS],
    ['added p99 from then on', `${openMs.toFixed(1)} ms`, openMs < 5],
    [`longest of ${ROUNDS} recoveries`, `${longestMs.toFixed(0)} ms`, longestMs < RECOVERY_MS],
  ];
  console.log(`\n${name}, ${PER_SECOND} requests a second, a handler of ${HANDLER_MS} ms:`);
  for (const [what, figure, isKept] of lines) {
    console.log(`  ${what.padEnd(28)}${figure.padStart(10)}${isKept ? '' : '   too much'}`);
    if (!isKept) process.exitCode = 1;
  }
}

async function isStored(isHit: (path: string) => Promise<boolean>, path: string): Promise<boolean> {
  await isHit(path);
  await pass(20);
  return isHit(path);
}

main();
