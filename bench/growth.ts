// What a million entries take in local memory, beside a bare lru-cache with a byte limit that holds
// the same values; and for how long a write that must evict some of them keeps the process.
//
//   npm run bench:growth
//   npm run bench:growth -- --entries 100000 --rounds 1
//
// Each measurement has a process of its own, of up to 3 GB. Memory is counted after a collection. Of a pause
// the collector's part is taken off, as it depends on what else the process does, and is shown beside; so is,
// on Linux, the time in which other processes had the core.
// Fails if an entry takes more than 1.10 of what it takes in lru-cache, by what the engine counts or by the
// resident set; or if a pause takes 10 ms.

import { execFileSync } from 'node:child_process';
import { existsSync, openSync, readSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { LRUCache } from 'lru-cache';
import { msgpackSerializer } from '../src/cache/serializers';
import { namesOfPage } from '../src/cache/tag-names';
import { caches, configureCaches } from '../src/index';
import { InputValues } from '../src/page-cache/inputs/input-values';
import { settingsFor } from '../src/page-cache/page-settings';
import { storeResponse } from '../src/page-cache/page-store';
import { pageKeyFor } from '../src/page-cache/request-key';
import { type FieldList, StoredResponse } from '../src/page-cache/stored-response';

const MAX_RATIO = 1.1;
const MAX_PAUSE_MS = 10;

const BYTES = 1024;
const SECONDS = 24 * 3600;

/** Writes between two turns of the event loop, so that the collector's work is told. */
const BURST = 1000;

const CONTENDERS = ['lru-cache', 'cachewright'] as const;
type Contender = (typeof CONTENDERS)[number];

/** Bytes per entry. */
interface Memory {
  readonly engine: number;
  readonly resident: number;
}

/** Milliseconds of the longest one. */
interface Pause {
  readonly own: number;
  readonly collector: number;
}

interface Page {
  readonly headers: FieldList;
  readonly body: Buffer;
}

/** Values that nothing else refers to, by their number. */
const VALUES = {
  strings: (i: number) => bytesOf(i).toString('latin1'),
  Buffers: (i: number) => Buffer.alloc(BYTES, i),
  objects: (i: number) => ({
    id: i,
    name: `product ${i}`,
    price: i / 100,
    tags: ['new', 'sale', 'garden'],
    stock: { here: i % 7, there: 3 },
    text: 'x'.repeat(900),
  }),
  pages: (i: number): Page => ({
    headers: [
      ...['Content-Type', 'text/html; charset=utf-8', 'Content-Length', String(BYTES)],
      ...['Cache-Control', 'max-age=86400', 'ETag', `"${i.toString(16).padStart(16, '0')}"`],
      ...['Last-Modified', new Date(1.7e12 + i * 1000).toUTCString()],
    ],
    body: Buffer.alloc(BYTES, i),
  }),
} satisfies Record<string, (i: number) => unknown>;

type Kind = keyof typeof VALUES;

/** How so many entries come to be evicted. The write that is measured comes after they are there. */
const EVICTIONS: Record<string, { settings: (entries: number) => object; large?: number }> = {
  'growing to that number': { settings: () => ({}) },
  'a cull of a third': { settings: (entries) => ({ maxEntries: entries }) },
  'a cull of all': { settings: (entries) => ({ maxEntries: entries, cullFrequency: 0 }) },
  'one in, one out, by bytes': { settings: (entries) => ({ maxBytes: entries * SMALL_SIZE }) },
  'values of 1 MB': {
    settings: (entries) => ({ maxBytes: entries * SMALL_SIZE }),
    large: 2 ** 20,
  },
  'clear()': { settings: () => ({}) },
};

/** What a small entry counts for: overhead, key and value. */
const SMALL_SIZE = 128 + 2 * ':1:key:1000000'.length + 8;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      entries: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '3' },
      /** In the process of one measurement. */
      contender: { type: 'string' },
      what: { type: 'string', default: '' },
    },
  });
  const { contender, what } = values;
  const [entries, rounds] = [Number(values.entries), Number(values.rounds)];
  if (contender === undefined) {
    compareMemory(entries, rounds);
    comparePauses(entries, rounds);
  } else {
    const measure = what in VALUES ? memoryOf : pauseOf;
    console.log(JSON.stringify(await measure(contender as Contender, what as Kind, entries)));
  }
}

function compareMemory(entries: number, rounds: number): void {
  console.log(`Bytes per entry of ${BYTES} bytes, of ${entries} (median of ${rounds}):\n`);
  console.log(row('', ...CONTENDERS, 'ratio', `${CONTENDERS[0]} RSS`, 'RSS', 'ratio'));
  for (const kind of Object.keys(VALUES)) {
    const [bare, ours] = measured<Memory>(kind, entries, rounds);
    const medians = (['engine', 'resident'] as const).map((part) =>
      [bare, ours].map((all) => median(all.map((memory) => memory[part]))),
    );
    const ratios = medians.map(([theirs, own]) => own! / theirs!);
    const cells = medians.flatMap((pair, i) => [...pair.map(Math.round), ratios[i]!.toFixed(3)]);
    judge(row(kind, ...cells), Math.max(...ratios) <= MAX_RATIO);
  }
}

function comparePauses(entries: number, rounds: number): void {
  console.log(
    `\nLongest pause at ${entries} entries, ms (median of ${rounds}, all of them; collector):\n`,
  );
  for (const what of Object.keys(EVICTIONS)) {
    const [bare, ours] = measured<Pause>(what, entries, rounds);
    const [theirs, own] = [bare, ours].map((pauses) => {
      const times = pauses.map((pause) => pause.own);
      const collector = median(pauses.map((pause) => pause.collector));
      const spread = times.map((time) => time.toFixed(1)).join(' ');
      return `${median(times).toFixed(1)} (${spread}; ${collector.toFixed(0)})`;
    });
    const isKept = median(ours.map((pause) => pause.own)) < MAX_PAUSE_MS;
    judge(`${what.padEnd(28)}${own!.padEnd(36)}${CONTENDERS[0]}: ${theirs}`, isKept);
  }
}

/** Measures both contenders in turns, each time in a process of its own. */
function measured<T>(what: string, entries: number, rounds: number): [T[], T[]] {
  const all: [T[], T[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, contender] of CONTENDERS.entries()) {
      const args = ['--contender', contender, '--what', what, '--entries', String(entries)];
      const options = ['--expose-gc', '--max-old-space-size=8192', '--import', 'tsx'];
      const text = execFileSync(process.execPath, [...options, __filename, ...args], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      all[i]!.push(JSON.parse(text));
    }
  }
  return all;
}

async function memoryOf(contender: Contender, kind: Kind, entries: number): Promise<Memory> {
  const store = contender === 'lru-cache' ? bareStore(kind) : ourStore(kind);
  // So that the code is compiled, and what it needs once is there.
  for (let i = 0; i < 5000; i += 1) await store(-i);
  const before = await memoryNow();
  for (let i = 0; i < entries; i += 1) await store(i);
  const after = await memoryNow();
  await store(-1);
  return {
    engine: (after.engine - before.engine) / entries,
    resident: (after.resident - before.resident) / entries,
  };
}

type Store = (i: number) => unknown;

function bareStore(kind: Kind): Store {
  const lru = new LRUCache<string, object | string>({ maxSize: 2 ** 40 });
  const make = VALUES[kind];
  return (i) => {
    const value = make(i);
    const held = kind === 'objects' ? msgpackSerializer.dump(value) : value;
    lru.set(kind === 'pages' ? urlOf(i) : `key:${i}`, held, { size: BYTES });
  };
}

function ourStore(kind: Kind): Store {
  const options = { maxEntries: 2 ** 31, maxBytes: 2 ** 40 };
  configureCaches({ default: { timeout: SECONDS, options } });
  const { default: cache } = caches;
  if (kind === 'pages') return storePage;
  const make = VALUES[kind];
  return (i) => cache.set(`key:${i}`, make(i));
}

const settings = settingsFor({});

/** Stores a page as the page cache does. */
async function storePage(i: number): Promise<void> {
  const { headers, body } = VALUES.pages(i);
  const url = urlOf(i);
  const now = Date.now();
  const response = new StoredResponse({
    status: 200,
    reason: '',
    fields: headers,
    body,
    storedAt: now,
    staleAt: now + SECONDS * 1000,
    ageFrom: Math.floor(now / 1000),
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
  const { counters } = await caches.default.tags.note(namesOfPage(url));
  await storeResponse(settings(), { key, inputs: [], values, response }, () => counters);
}

async function pauseOf(contender: Contender, what: string, entries: number): Promise<Pause> {
  const { settings: settingsOf, large } = EVICTIONS[what]!;
  const collections = watchCollector();
  const options = { maxEntries: 2 ** 31, maxBytes: 2 ** 40, ...settingsOf(entries) };
  const { set, clear } = writesOf(contender, options, entries);
  const growth = await longest(collections, entries, (i) => set(i, i));
  if (what.startsWith('growing')) return growth;
  if (what === 'clear()') {
    const cleared = await longest(collections, 1, clear);
    const after = await longest(collections, BURST, (i) => set(entries + i, i));
    return longer(cleared, after);
  }
  const bytes = Buffer.alloc(large ?? 0);
  if (large !== undefined) return longest(collections, BURST, (i) => set(entries + i, bytes));
  return longest(collections, entries, (i) => set(entries + i, i));
}

function writesOf(
  contender: Contender,
  options: { readonly maxEntries: number; readonly maxBytes: number },
  entries: number,
) {
  if (contender === 'cachewright') {
    configureCaches({ default: { timeout: SECONDS, options } });
    const { default: cache } = caches;
    return {
      set: (i: number, value: unknown) => void cache.set(`key:${i}`, value),
      clear: () => void cache.clear(),
    };
  }
  const { maxBytes } = options;
  // It has no culling: one goes for each that comes.
  const maxSize =
    options.maxEntries < maxBytes ? Math.min(entries * SMALL_SIZE, maxBytes) : maxBytes;
  const lru = new LRUCache<string, NonNullable<unknown>>({ maxSize });
  return {
    set: (i: number, value: NonNullable<unknown>) => {
      const size = Buffer.isBuffer(value) ? value.byteLength : SMALL_SIZE;
      lru.set(`key:${i}`, value, { size });
    },
    clear: () => lru.clear(),
  };
}

const SCHEDULED = `/proc/self/task/${process.pid}/schedstat`;
const scheduled = existsSync(SCHEDULED) ? openSync(SCHEDULED, 'r') : undefined;
const digits = Buffer.alloc(32);

/** Milliseconds for which this thread had a core; elsewhere than on Linux, those of the clock. */
function ranMs(): number {
  if (scheduled === undefined) return performance.now();
  readSync(scheduled, digits, 0, digits.length, 0);
  return Number(digits.toString('latin1', 0, digits.indexOf(' '))) / 1e6;
}

interface Collection {
  readonly startTime: number;
  readonly duration: number;
}

function watchCollector(): Collection[] {
  const collections: Collection[] = [];
  new PerformanceObserver((list) => collections.push(...list.getEntries())).observe({
    entryTypes: ['gc'],
  });
  return collections;
}

/** The longest of so many writes, and the longest collection meanwhile. */
async function longest(
  collections: Collection[],
  count: number,
  write: (i: number) => void,
): Promise<Pause> {
  await settle();
  collections.length = 0;
  const slow: (Collection & { readonly kept: number })[] = [];
  for (let i = 0; i < count; i += 1) {
    const startTime = performance.now();
    const ranBefore = ranMs();
    write(i);
    const ran = ranMs() - ranBefore;
    const duration = performance.now() - startTime;
    // The kernel counts by its ticks: what falls into one may be told as all of it.
    const kept = Math.min(ran, duration);
    if (kept > 1) slow.push({ startTime, duration, kept });
    if (i % BURST === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await settle();
  const own = slow.map(({ startTime, duration, kept }) => {
    const endTime = startTime + duration;
    const during = collections.filter((c) => c.startTime >= startTime && c.startTime < endTime);
    return kept - during.reduce((sum, collection) => sum + collection.duration, 0);
  });
  return {
    own: Math.max(0, ...own),
    collector: Math.max(0, ...collections.map((c) => c.duration)),
  };
}

function longer(one: Pause, other: Pause): Pause {
  return {
    own: Math.max(one.own, other.own),
    collector: Math.max(one.collector, other.collector),
  };
}

async function memoryNow(): Promise<Memory> {
  for (let time = 0; time < 4; time += 1) {
    global.gc!();
    await settle();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { engine: heapUsed + external, resident: rss };
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}

/** Bytes of their own, so that no text that is made of them shares memory with another. */
function bytesOf(i: number): Buffer {
  return Buffer.alloc(BYTES, `${i} `);
}

function urlOf(i: number): string {
  return `http://www.example.com/shop/${Math.abs(i) % 1000}/${i}`;
}

function judge(line: string, isKept: boolean): void {
  console.log(`${line}${isKept ? '' : '   not as promised'}`);
  if (!isKept) process.exitCode = 1;
}

function row(first: string, ...cells: readonly (string | number)[]): string {
  return first.padEnd(10) + cells.map((cell) => String(cell).padStart(15)).join('');
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

void main();
