// What a hit costs, beside the plain handler that sends the same bytes, and beside apicache.
//
//   npm run bench
//   npm run bench -- --rounds 9 --seconds 3
//
// Each server has a process of its own, as has the load generator. The servers take turns, so that
// what else the machine does meets all of them; the first turn of each warms it up and is dropped.
import type { ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { LoadRequest, LoadResult } from './load';
import { ask, start } from './messages';
import type { ServerState } from './server';
import { SERVERS, type ServerName } from './servers';

const SIZES = [2048, 40_960];

/** A server under test, and what each turn of it gave. */
interface Contender {
  readonly name: ServerName;
  readonly bytes: number;
  readonly child: ChildProcess;
  readonly perSecond: number[];
  readonly cpuUs: number[];
}

async function main(): Promise<void> {
  const { rounds, seconds } = readOptions();
  const load = start('load.ts');
  const contenders = SIZES.flatMap((bytes) =>
    (Object.keys(SERVERS) as ServerName[]).map((name) => ({
      name,
      bytes,
      child: start('server.ts', name, String(bytes)),
      perSecond: [],
      cpuUs: [],
    })),
  );
  try {
    for (const contender of contenders) await verify(contender);
    for (let round = 0; round <= rounds; round++) {
      for (const contender of contenders) await takeTurn(contender, load, seconds, round === 0);
    }
    for (const contender of contenders) await verify(contender);
  } finally {
    for (const { child } of [...contenders, { child: load }]) child.disconnect();
  }
  console.log(
    `Node ${process.version}, ${availableParallelism()} CPUs; medians of ${rounds} rounds of ${seconds} s.`,
  );
  for (const bytes of SIZES) {
    console.log(`\n${formatTable(contenders.filter((contender) => contender.bytes === bytes))}`);
  }
}

function readOptions(): { rounds: number; seconds: number } {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '1' },
    },
  });
  return { rounds: toCount(values.rounds, 'rounds'), seconds: toCount(values.seconds, 'seconds') };
}

function toCount(text: string, option: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new TypeError(`--${option} is ${JSON.stringify(text)}. Give a whole number above 0.`);
}

/** Makes sure that a server sends the right page, and a cache does so without its handler. */
async function verify({ name, bytes, child }: Contender): Promise<void> {
  const before = await ask<ServerState>(child, {});
  const url = `http://127.0.0.1:${before.port}/`;
  const visits = 3;
  let etag: string | null = null;
  for (let visit = 0; visit < visits; visit++) {
    const response = await fetch(url);
    const body = Buffer.from(await response.arrayBuffer());
    const isRight = response.status === 200 && body.length === bytes && body.indexOf('fox') > 0;
    const isSame = visit === 0 || response.headers.get('ETag') === etag;
    if (!isRight || !isSame)
      throw new Error(`${name}: the answer is not the page of ${bytes} bytes.`);
    etag = response.headers.get('ETag');
  }
  const { handled } = await ask<ServerState>(child, {});
  const expected = SERVERS[name].isCached ? 1 : before.handled + visits;
  if (handled !== expected) {
    throw new Error(
      `${name}: the handler ran ${handled} times, and should have ${expected} times.`,
    );
  }
}

async function takeTurn(
  { name, child, perSecond, cpuUs }: Contender,
  load: ChildProcess,
  seconds: number,
  isWarmUp: boolean,
): Promise<void> {
  const before = await ask<ServerState>(child, {});
  const order: LoadRequest = { url: `http://127.0.0.1:${before.port}/`, seconds };
  const result = await ask<LoadResult>(load, order);
  const after = await ask<ServerState>(child, {});
  if (result.failures > 0) throw new Error(`${name}: ${result.failures} requests failed.`);
  if (isWarmUp) return;
  perSecond.push(result.perSecond);
  cpuUs.push((after.cpuUs - before.cpuUs) / result.requests);
}

function formatTable(contenders: readonly Contender[]): string {
  const [base] = contenders;
  const rows = contenders.map(({ name, perSecond, cpuUs }) => [
    name,
    median(perSecond).toFixed(0),
    (median(perSecond) / median(base!.perSecond)).toFixed(2),
    median(cpuUs).toFixed(1),
    (median(cpuUs) / median(base!.cpuUs)).toFixed(2),
  ]);
  const head = [`${base!.bytes / 1024} KB`, 'requests/s', 'ratio', 'CPU us/request', 'ratio'];
  const table = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('   '),
    )
    .join('\n');
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
