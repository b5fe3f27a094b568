// Starts the atlas, visits some of its pages twice, and shows what the cache makes of it.
//
//   npm run demo               then open the address it prints
//   npm run demo -- --once     only the table
//   PORT=3000 npm run demo     on a port of your choice
import { Agent, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { createAtlas } from './app';

const PAGES = [
  '/',
  '/?lang=ja',
  '/regions/europe',
  '/countries/prt',
  '/countries/egy?lang=ar',
  '/search?q=guinea',
  '/api/countries',
  '/borders',
];

/** A page visited twice. */
interface Comparison {
  readonly page: string;
  readonly missMs: number;
  readonly hitMs: number;
  readonly bytes: number;
  /** Whether the second visit, and only that, was answered from the cache. */
  readonly isHit: boolean;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { once: { type: 'boolean', default: false } } });
  const server = await listen();
  const address = `http://localhost:${(server.address() as AddressInfo).port}`;

  // Opens the connection, so that the first page does not pay for it. This one is never cached.
  await visit(`${address}/passport`);
  const comparisons: Comparison[] = [];
  for (const page of PAGES) comparisons.push(await compare(address, page));
  console.log(formatTable(comparisons));

  const failed = comparisons.filter(({ isHit }) => !isHit);
  for (const { page } of failed) console.error(`\n${page}: the second visit was no hit.`);
  if (failed.length > 0 || values.once) {
    process.exitCode = failed.length > 0 ? 1 : 0;
    close(server);
    return;
  }
  console.log(`\nOpen ${address} in a browser. Each page tells in its footer how it was made.`);
  console.log('Ctrl-C ends it.');
  process.once('SIGINT', () => close(server));
  process.once('SIGTERM', () => close(server));
}

function listen(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createAtlas().listen(Number(process.env.PORT ?? 0), (error) => {
      if (error === undefined) resolve(server);
      else reject(error);
    });
  });
}

function close(server: Server): void {
  server.close();
  server.closeAllConnections();
}

async function compare(address: string, page: string): Promise<Comparison> {
  const miss = await visit(address + page);
  const hit = await visit(address + page);
  return {
    page,
    missMs: miss.ms,
    hitMs: hit.ms,
    bytes: hit.body.length,
    // Only a stored response has an Age.
    isHit: miss.age === undefined && hit.age !== undefined && hit.body.equals(miss.body),
  };
}

/** One connection for all visits. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

async function visit(url: string): Promise<{ ms: number; age: string | undefined; body: Buffer }> {
  const startedAt = performance.now();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent, headers: { 'Accept-Language': 'en' } }, resolve).once('error', reject);
  });
  const body = await buffer(response);
  return { ms: performance.now() - startedAt, age: response.headers.age, body };
}

function formatTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ page, missMs, hitMs, bytes, isHit }) => [
    page,
    missMs.toFixed(1),
    isHit ? hitMs.toFixed(1) : 'no hit',
    isHit ? `${Math.round(missMs / hitMs)}x` : '-',
    String(bytes),
  ]);
  const table = [['page', 'miss ms', 'hit ms', 'ratio', 'bytes'], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table
    .map(([page, ...numbers]) =>
      [
        page!.padEnd(widths[0]!),
        ...numbers.map((number, i) => number.padStart(widths[i + 1]!)),
      ].join('   '),
    )
    .join('\n');
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
