import { CONTENDERS, type Contender, type ContenderId, type Need } from './contenders';
import { pageOf } from './contenders/page';
import type { Load } from './harness/load';
import { busyOf, compare, median } from './harness/ratios';
import type { Table } from './harness/table';
import { startProxyTarget, startTarget, type Target } from './harness/targets';
import { compete, type Player, settle, type Turn } from './harness/turns';

/** What is measured, and how. */
export interface HitsOptions {
  readonly ids: readonly ContenderId[];
  readonly bytes: number;
  readonly rounds: number;
  readonly seconds: number;
  /** The program that runs the servers. */
  readonly node: string;
  readonly load: Load;
  readonly redisUrl: string;
  readonly memcachedUrl: string;
  /** Why what a contender needs is not there; `undefined`: it is. */
  readonly whyMissing: (need: Need) => string | undefined;
}

/** What came of it. */
export interface HitsResult {
  readonly bytes: number;
  readonly turns: ReadonlyMap<ContenderId, readonly Turn[]>;
  /** Of caches: the share of what was measured that were no hits. */
  readonly missRates: ReadonlyMap<ContenderId, number>;
  /** Those that were left out, and why. */
  readonly skipped: ReadonlyMap<ContenderId, string>;
}

export const CONNECTIONS = 64;

const VISITS = 3;

/** V8 takes longer over a program of many functions than over one of few. */
const WARM_UP_SECONDS = 5;

/** What each contender gives for one page that all of them have. */
export async function measureHits(options: HitsOptions): Promise<HitsResult> {
  const { ids, bytes, rounds, seconds, load, whyMissing } = options;
  const skipped = new Map<ContenderId, string>();
  const players = new Map<ContenderId, Player>();
  const missRates = new Map<ContenderId, number>();
  try {
    for (const id of ids) {
      const { needs = [], label }: Contender = CONTENDERS[id];
      const why = needs.map(whyMissing).find((reason) => reason !== undefined);
      if (why !== undefined) skipped.set(id, why);
      else players.set(id, { label, target: await start(id, options), turns: [] });
    }
    for (const [id, { target }] of players) await verify(CONTENDERS[id], bytes, target);
    const warmUpSeconds = Math.max(WARM_UP_SECONDS, seconds);
    const rules = { rounds, seconds, warmUpSeconds, connections: CONNECTIONS, isFresh: false };
    await compete([...players.values()], load, rules);
    for (const [id, { target, turns }] of players) {
      if (CONTENDERS[id].isCached) missRates.set(id, await missRate(target, turns));
    }
  } finally {
    for (const { target } of players.values()) await target.stop();
  }
  const turns = new Map([...players].map(([id, player]) => [id, player.turns] as const));
  return { bytes, turns, missRates, skipped };
}

/** What several measurements of the same come to. */
export function together(results: readonly HitsResult[]): HitsResult {
  const [first] = results;
  if (first === undefined) throw new Error('Nothing was measured.');
  const ids = [...first.turns.keys()];
  const all = <T>(of: (result: HitsResult) => ReadonlyMap<ContenderId, T>, id: ContenderId) =>
    results.map((result) => of(result).get(id)!);
  const cached = ids.filter((id) => first.missRates.has(id));
  return {
    ...first,
    turns: new Map(ids.map((id) => [id, all(({ turns }) => turns, id).flat()])),
    missRates: new Map(
      cached.map((id) => [id, Math.max(...all(({ missRates }) => missRates, id))]),
    ),
  };
}

function start(id: ContenderId, options: HitsOptions): Promise<Target> {
  const { bytes, node, redisUrl, memcachedUrl } = options;
  const plan = { contender: id, bytes, redisUrl, memcachedUrl };
  if (id === 'nginx' || id === 'varnish') {
    return startProxyTarget(id, { ...plan, contender: 'json' }, { node });
  }
  return startTarget(plan, { node });
}

/**
 * Makes sure that a server sends the right page, and a cache does so without its handler.
 *
 * @throws Error if it does not.
 */
export async function verify(
  { label, isCached }: Pick<Contender, 'label' | 'isCached'>,
  bytes: number,
  { url, handled }: Pick<Target, 'url' | 'handled'>,
): Promise<void> {
  const { body } = pageOf(bytes);
  const before = await handled();
  for (let visit = 0; visit < VISITS; visit += 1) {
    const response = await fetch(url);
    const type = response.headers.get('Content-Type') ?? '';
    const isRight =
      body.equals(Buffer.from(await response.arrayBuffer())) && type.startsWith('application/json');
    if (response.status !== 200 || !isRight) {
      throw new Error(`${label}: the answer is not the page of ${bytes} bytes.`);
    }
    await settle();
  }
  const runs = await handled();
  const expected = isCached ? 1 : before + VISITS;
  if (runs !== expected) {
    throw new Error(`${label}: the handler ran ${runs} times, and should have ${expected} times.`);
  }
}

/**
 * The share of the measured requests that a cache had to ask its handler for. It should be none, but
 * on a machine that does other things as well a store is now and then too late with its answer.
 */
export async function missRate(
  { handled }: Pick<Target, 'handled'>,
  turns: readonly Turn[],
): Promise<number> {
  const requests = turns.reduce((sum, turn) => sum + turn.requests, 0);
  return ((await handled()) - 1) / requests;
}

/** The ratios are to the first contender, or to the first that was measured. */
export function hitsTable({ bytes, turns, skipped }: HitsResult): Table {
  const [base] = turns.values();
  const measured = [...turns].map(([id, own]) => {
    const { byRate, byCpu, counts } = compare(own, base!);
    const cpuUs = own.flatMap((turn) => turn.cpuUs ?? []);
    return [
      CONTENDERS[id].label,
      median(own.map(({ perSecond }) => perSecond)).toFixed(0),
      mark(byRate, counts === 'rate'),
      cpuUs.length === 0 ? '–' : median(cpuUs).toFixed(1),
      mark(byCpu, counts === 'cpu'),
      cpuUs.length === 0 ? '–' : `${(100 * busyOf(own)).toFixed(0)} %`,
    ];
  });
  const left = [...skipped].map(([id, why]) => [CONTENDERS[id].label, why, '', '', '', '']);
  return {
    title: `Hits of ${formatSize(bytes)}`,
    head: ['', 'requests/s', 'ratio', 'CPU µs', 'ratio', 'busy'],
    rows: [...measured, ...left],
  };
}

/** The ratio that counts has a star. */
function mark(ratio: number | undefined, counts: boolean): string {
  return ratio === undefined ? '–' : `${ratio.toFixed(2)}${counts ? '*' : ' '}`;
}

/** As `2 KB` or `1 MB`. */
export function formatSize(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${bytes / 1024 / 1024} MB` : `${bytes / 1024} KB`;
}
