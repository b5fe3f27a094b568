// What a page hit costs in a local tier over Redis, beside one in plain local memory.
//
//   npm run bench:tiered
//   npm run bench:tiered -- --rounds 41 --hits 40000
//
// Hits go through the page cache middleware, without a network between visitor and site; the two take
// turns within one process. Fails if the local tier has less than 0.9 of the throughput, if a
// handler runs, or if the server is asked for a page.

import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { type CacheSettings, cachePage, caches, configureCaches } from '../src/index';
import { redisCalls, resetCalls } from '../test/support/redis-calls';
import { type RedisServer, startRedis } from '../test/support/servers';
import globalSetup from '../test/support/servers/global-setup';
import globalTeardown from '../test/support/servers/global-teardown';

const PAGES = 1000;
const LEAST_RATIO = 0.9;

/** Hits between two turns of the event loop, as if so many visitors had come at once. */
const BURST = 50;

const BODY = Buffer.alloc(2048, '<p>The quick brown fox jumps over the lazy dog.</p>\n');

type Site = (path: string) => void;

let handled = 0;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '21' },
      hits: { type: 'string', default: '20000' },
    },
  });
  const [rounds, hits] = [Number(values.rounds), Number(values.hits)];
  await globalSetup();
  try {
    const server = await startRedis();
    const shared = { backend: 'redis', location: server.url } as const;
    const settings: Record<string, CacheSettings> = {
      default: { options: { maxEntries: 2 * PAGES } },
      near: { backend: 'tiered', location: shared, options: { maxAge: 3600 } },
    };
    configureCaches(settings);
    await measure(server, rounds, hits);
    await caches.closeAll();
    await server.stop();
  } finally {
    await globalTeardown();
  }
}

async function measure(server: RedisServer, rounds: number, hits: number): Promise<void> {
  const sites = { default: siteOn('default'), near: siteOn('near') };
  for (const site of Object.values(sites)) await warmUp(site);
  const rates = { default: [] as number[], near: [] as number[] };
  handled = 0;
  await resetCalls(server);
  for (let round = 0; round <= rounds; round += 1) {
    const order = ['default', 'near'] as const;
    // Each begins as often as the other, so that neither pays for what the other left.
    for (const name of round % 2 === 0 ? order : order.toReversed()) {
      const perSecond = await turn(sites[name], hits);
      // The first one warms up.
      if (round > 0) rates[name].push(perSecond);
    }
  }
  const calls = await redisCalls(server);
  const ratios = rates.near.map((rate, i) => rate / rates.default[i]!);
  const ratio = median(ratios);
  const show = (rate: number) => `${Math.round(rate).toLocaleString('en')} hits/s`;
  console.log(`local memory: ${show(median(rates.default))}`);
  console.log(`local tier:   ${show(median(rates.near))}`);
  console.log(`ratio:        ${ratio.toFixed(3)} (median of ${rounds} turns of ${hits} hits)`);
  console.log(`handlers run: ${handled}; commands on the server: ${JSON.stringify(calls)}`);
  if (ratio < LEAST_RATIO || handled > 0 || (calls.mget ?? 0) > 0) process.exitCode = 1;
}

function siteOn(cache: string): Site {
  const middleware = cachePage(3600, { cache });
  const socket = new Socket();
  return (path) => {
    const req = new IncomingMessage(socket);
    Object.assign(req, { method: 'GET', url: path, headers: { host: 'www.example.com' } });
    const res = new ServerResponse(req);
    middleware(req, res, () => {
      handled += 1;
      res.setHeader('Content-Type', 'text/html; charset=utf-8');
      res.end(BODY);
    });
  };
}

/** Until all pages are stored, and were found once where they are kept. */
async function warmUp(site: Site): Promise<void> {
  for (let time = 0; time < 3; time += 1) {
    for (let i = 0; i < PAGES; i += 1) {
      site(`/page/${i}`);
      if (i % BURST === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function turn(site: Site, hits: number): Promise<number> {
  const startedAt = performance.now();
  for (let i = 0; i < hits; i += 1) {
    site(`/page/${(i * 7) % PAGES}`);
    if (i % BURST === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return hits / ((performance.now() - startedAt) / 1000);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

void main();
