// What it takes on Redis to purge a tag that is on one page, and one that is on a million.
//
//   npm run bench:purge
//   npm run bench:purge -- --pages 10000
//
// The server is started here, and takes about a gigabyte. Fails if the tag that is on all pages
// takes longer than 5 ms to purge, or other commands than the tag of one page, or leaves a page.

import { parseArgs } from 'node:util';
import { namesOfPage, tagName } from '../src/cache/tag-names';
import type { Counters } from '../src/cache/tags';
import { type BaseCache, caches, configureCaches } from '../src/index';
import { InputValues } from '../src/page-cache/inputs/input-values';
import { settingsFor } from '../src/page-cache/page-settings';
import { storeResponse } from '../src/page-cache/page-store';
import { pageKeyFor } from '../src/page-cache/request-key';
import { StoredResponse } from '../src/page-cache/stored-response';
import { pageApp } from '../test/support/page-app';
import { redisCalls, resetCalls } from '../test/support/redis-calls';
import { type RedisServer, startRedis } from '../test/support/servers';
import globalSetup from '../test/support/servers/global-setup';
import globalTeardown from '../test/support/servers/global-teardown';
import { askRedis } from '../test/support/servers/redis-client';
import { UNHURRIED } from '../test/support/unhurried';
import { visit } from '../test/support/visit';

const MAX_MS = 5;
const BATCH = 1000;
const SAMPLES = 200;
const ROUNDS = 200;
const SECONDS = 24 * 3600;

const ON_ALL = 'on-all';
const ON_ONE = 'on-one';

const settings = settingsFor({ ...UNHURRIED, onError: fail });

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { pages: { type: 'string', default: '1000000' } } });
  const pages = Number(values.pages);
  await globalSetup();
  try {
    const server = await startRedis();
    configureCaches({ default: { backend: 'redis', location: server.url, options: UNHURRIED } });
    await storePages(pages);
    await measure(server, pages);
    await caches.closeAll();
    await server.stop();
  } finally {
    await globalTeardown();
  }
}

/** Stores so many pages, as the page cache does, with one tag on all and another on the first. */
async function storePages(count: number): Promise<void> {
  for (let begin = 0; begin < count; begin += BATCH) {
    const urls = Array.from({ length: Math.min(BATCH, count - begin) }, (_, i) => urlOf(begin + i));
    const names = urls.map((url, i) => [
      ...namesOfPage(url),
      tagName(ON_ALL),
      ...(begin + i === 0 ? [tagName(ON_ONE)] : []),
    ]);
    const { counters } = await caches.default.tags.note([...new Set(names.flat())]);
    await Promise.all(urls.map((url, i) => storePage(url, pick(counters, names[i]!))));
  }
}

async function storePage(url: string, counters: Counters): Promise<void> {
  const response = new StoredResponse({
    status: 200,
    reason: '',
    fields: ['Content-Type', 'text/plain', 'Content-Length', '6', 'Cache-Control', 'max-age=86400'],
    body: Buffer.from('stored'),
    storedAt: Date.now(),
    staleAt: Date.now() + SECONDS * 1000,
    ageFrom: Math.floor(Date.now() / 1000),
    staleWhileRevalidate: 0,
    staleIfError: 0,
    mustRevalidate: false,
    added: [],
    removed: [],
    privacy: undefined,
    alwaysValidate: false,
  });
  const key = pageKeyFor({} as never, url, 'GET', settings());
  const values = new InputValues({} as never, {} as never, {}, settings());
  await storeResponse(settings(), { key, inputs: [], values, response }, () => counters);
}

async function measure(server: RedisServer, pages: number): Promise<void> {
  const { app } = pageApp((res) => res.end('made anew'), {
    options: { ...UNHURRIED, seconds: SECONDS, onError: fail },
  });
  const sampled = Array.from({ length: SAMPLES }, (_, i) => Math.floor((i * pages) / SAMPLES));
  const found = async (body: string) => {
    let count = 0;
    for (const page of sampled) count += (await visit(app, pathOf(page))).text === body ? 1 : 0;
    return count;
  };
  const memory = /used_memory_human:(\S+)/.exec(String(await askRedis(server, 'INFO', 'memory')));
  const keys = Number(await askRedis(server, 'DBSIZE'));
  const hits = await found('stored');

  const cache = caches.default;
  // So that the connection is there, and the scripts, and the code is compiled.
  for (let i = 0; i < ROUNDS; i += 1) await cache.invalidateTags([`warm-up-${i}`]);
  const one = await purge(server, cache, ON_ONE);
  const all = await purge(server, cache, ON_ALL);
  const left = await found('stored');
  const times = { one: [] as number[], all: [] as number[] };
  for (let i = 0; i < ROUNDS; i += 1) {
    times.one.push(await timed(() => cache.invalidateTags([ON_ONE])));
    times.all.push(await timed(() => cache.invalidateTags([ON_ALL])));
  }

  const spelt = (calls: object) => Object.entries(calls).map(([name, n]) => `${name} ${n}`);
  const [ofOne, ofAll] = [spelt(one.calls).join(', '), spelt(all.calls).join(', ')];
  const median = medianOf(times.all);
  const lines: [string, string, boolean][] = [
    ['keys on the server', `${keys} (${memory?.[1]})`, keys >= pages],
    [`hits among ${SAMPLES} pages before`, String(hits), hits === SAMPLES],
    ['purge of the tag on one page', ms(one.ms), true],
    [`  median of ${ROUNDS} more`, ms(medianOf(times.one)), true],
    ['  commands', ofOne, true],
    [`purge of the tag on ${pages} pages`, ms(all.ms), all.ms < MAX_MS],
    [`  median of ${ROUNDS} more`, ms(median), median < MAX_MS],
    ['  commands', ofAll, ofAll === ofOne],
    [`hits among ${SAMPLES} pages after`, String(left), left === 0],
  ];
  for (const [what, figure, isKept] of lines) {
    console.log(`${what.padEnd(36)}${figure}${isKept ? '' : '   not as promised'}`);
    if (!isKept) process.exitCode = 1;
  }
}

/** Purges a tag: how long it took, and which commands, none of which comes to be by connecting. */
async function purge(server: RedisServer, cache: BaseCache, tag: string) {
  await resetCalls(server);
  const took = await timed(() => cache.invalidateTags([tag]));
  return { ms: took, calls: await redisCalls(server) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const beganAt = performance.now();
  await work();
  return performance.now() - beganAt;
}

function pick(counters: Counters, names: readonly string[]): Counters {
  return new Map(names.map((name) => [name, counters.get(name)!]));
}

function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function pathOf(page: number): string {
  return `/shop/${page % 1000}/${page}`;
}

function urlOf(page: number): string {
  return `http://www.example.com${pathOf(page)}`;
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}

function fail(error: unknown): void {
  console.error(error);
  process.exitCode = 1;
}

main();
