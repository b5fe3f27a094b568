import type { Way } from './contenders/cachewright';
import type { HandlerName } from './contenders/handlers';
import type { Load } from './harness/load';
import { compare, median } from './harness/ratios';
import type { Table } from './harness/table';
import { startTarget, type Target } from './harness/targets';
import { compete, type Player, settle, type Turn } from './harness/turns';
import { CONNECTIONS, formatSize } from './hits';

/** What is measured, and how. */
export interface MissesOptions {
  readonly handler: Exclude<HandlerName, 'slow'>;
  readonly bytes: number;
  readonly rounds: number;
  readonly seconds: number;
  /** The program that runs the servers. */
  readonly node: string;
  readonly load: Load;
}

/** What came of it. */
export interface MissesResult extends Pick<MissesOptions, 'handler' | 'bytes'> {
  readonly turns: ReadonlyMap<Way, readonly Turn[]>;
}

const MISS_WAYS = [
  'no cache',
  'updateCache + fetchFromCache',
  'cachePage',
  'cacheApp',
] as const satisfies readonly Way[];

/** More than for hits, which go through less code. */
const WARM_UP_SECONDS = 6;

/** What a page costs that is made and stored, beside the same page with no cache. */
export async function measureMisses(options: MissesOptions): Promise<MissesResult> {
  const { handler, bytes, rounds, seconds, node, load } = options;
  const players: (Player & { way: Way })[] = [];
  try {
    for (const way of MISS_WAYS) {
      const target = await startTarget({ way, handler, bytes, seconds: 3600 }, { node });
      players.push({ way, label: way, target, turns: [] });
      await verify(way, target);
    }
    const warmUpSeconds = Math.max(WARM_UP_SECONDS, seconds);
    const rules = { rounds, seconds, warmUpSeconds, connections: CONNECTIONS, isFresh: true };
    await compete(players, load, rules);
  } finally {
    for (const { target } of players) await target.stop();
  }
  return { handler, bytes, turns: new Map(players.map(({ way, turns }) => [way, turns])) };
}

/** Makes sure that the pages are stored, or they would not be misses of the kind that is meant. */
async function verify(way: Way, { url, handled }: Target): Promise<void> {
  const visits = 2;
  for (let visit = 0; visit < visits; visit += 1) {
    await (await fetch(url)).arrayBuffer();
    await settle();
  }
  const runs = await handled();
  const expected = way === 'no cache' ? visits : 1;
  if (runs !== expected) {
    throw new Error(`${way}: the handler ran ${runs} times, and should have ${expected} times.`);
  }
}

/** CPU time of a miss in proportion to that of the handler alone. */
export function costOfMiss({ turns }: MissesResult, way: Way): number {
  return 1 / compare(turns.get(way)!, turns.get('no cache')!).byCpu!;
}

export function missesTable(results: readonly MissesResult[]): Table {
  const rows = results.flatMap((result) =>
    [...result.turns].map(([way, turns]) => [
      `${kindOf(result)}: ${way === 'no cache' ? way : `\`${way}\``}`,
      median(turns.map(({ perSecond }) => perSecond)).toFixed(0),
      median(turns.map(({ cpuUs }) => cpuUs!)).toFixed(1),
      costOfMiss(result, way).toFixed(2),
    ]),
  );
  return {
    title: 'Misses, each for a URL of its own',
    head: ['', 'requests/s', 'CPU µs', 'CPU, times no cache'],
    rows,
    notes: [
      'A list and a page of HTML are rendered from rows of data; the bare handler sends one Buffer.',
    ],
  };
}

const KINDS = { list: 'a list', view: 'a page of HTML', nothing: 'a bare handler' };

/** Which handler, and how long its page is. */
export function kindOf({ handler, bytes }: Pick<MissesResult, 'handler' | 'bytes'>): string {
  return `${KINDS[handler]}, ${formatSize(bytes)}`;
}
