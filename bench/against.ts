import { type BuildPlan, MOUNTS, type UserKind } from './contenders/builds';
import type { Load } from './harness/load';
import { cpuRatio, median } from './harness/ratios';
import type { Table } from './harness/table';
import { startTarget } from './harness/targets';
import { compete, type Player, type Turn } from './harness/turns';
import { CONNECTIONS, formatSize, missRate, verify } from './hits';
import { MOST_MISSES } from './limits';

/** A page that both builds serve, and the most that a hit of it may take, as a multiple. */
export interface Case extends Omit<BuildPlan, 'isRead'> {
  readonly label: string;
  readonly limit: number;
}

/** What middleware leaves in `res.locals.user`, and how that is called. */
const USERS: Record<UserKind, { readonly label: string; readonly limit: number }> = {
  none: { label: 'no request state', limit: 1.05 },
  absent: { label: '`res.locals.user` absent', limit: 1.15 },
  undefined: { label: '`res.locals.user` undefined', limit: 1.15 },
  fields: { label: '`res.locals.user` of 20 fields', limit: 1.5 },
};

/** The pair watches what is read before the look-up. */
const PAIR_LIMIT = 1.1;

/**
 * What is compared. The site is the same on both builds: middleware leaves the same in
 * `res.locals.user`. Only the new one's handler reads it, as the old one does not store such a page.
 * So the ratio is what the user costs a page that could not be cached before, beside a page that
 * could.
 */
export const CASES: readonly Case[] = Object.entries(USERS).flatMap(([user, { label, limit }]) =>
  MOUNTS.map((mount) => ({
    label: `\`${mount}\`, ${label}`,
    limit: mount === 'pair' ? Math.max(limit, PAIR_LIMIT) : limit,
    mount,
    user: user as UserKind,
  })),
);

export interface AgainstOptions {
  readonly cases: readonly Case[];
  readonly bytes: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly node: string;
  readonly load: Load;
  /** Paths of their `index.js`. */
  readonly builds: Readonly<Record<'old' | 'new', string>>;
}

/** What one case came to. */
export interface AgainstResult extends Pick<Case, 'label' | 'limit'> {
  readonly old: readonly Turn[];
  readonly new: readonly Turn[];
}

/**
 * Rounds for which two servers live. What V8 makes of a program differs from one run of it to the
 * next by more than the builds do.
 */
const ROUNDS_PER_START = 2;

const WARM_UP_SECONDS = 4;

/** What a hit takes on two builds, case by case, in interleaved rounds. */
export async function measureAgainst(options: AgainstOptions): Promise<AgainstResult[]> {
  const results: AgainstResult[] = [];
  for (const each of options.cases) {
    const turns = { old: [] as Turn[], new: [] as Turn[] };
    for (let left = options.rounds; left > 0; left -= ROUNDS_PER_START) {
      const rounds = Math.min(left, ROUNDS_PER_START);
      const measured = await measureCase(each, { ...options, rounds });
      turns.old.push(...measured.old);
      turns.new.push(...measured.new);
    }
    results.push({ label: each.label, limit: each.limit, ...turns });
  }
  return results;
}

async function measureCase(
  { mount, user, label }: Case,
  { bytes, rounds, seconds, node, load, builds }: AgainstOptions,
): Promise<{ old: readonly Turn[]; new: readonly Turn[] }> {
  const players: Player[] = [];
  const start = async (build: 'old' | 'new') => {
    const isRead = build === 'new' && user !== 'none';
    const plan = { build: builds[build], bytes, mount, user, isRead };
    const player = {
      label: `${label}, ${build} build`,
      target: await startTarget(plan, { node }),
      turns: [],
    };
    players.push(player);
    await verify({ label: player.label, isCached: true }, bytes, player.target);
    return player;
  };
  try {
    const [old, new_] = [await start('old'), await start('new')];
    const warmUpSeconds = Math.max(WARM_UP_SECONDS, seconds);
    const rules = { rounds, seconds, warmUpSeconds, connections: CONNECTIONS, isFresh: false };
    await compete(players, load, rules);
    for (const player of players) {
      const rate = await missRate(player.target, player.turns);
      if (rate > MOST_MISSES) throw new Error(`${player.label}: ${100 * rate} % were no hits.`);
    }
    return { old: old.turns, new: new_.turns };
  } finally {
    for (const { target } of players) await target.stop();
  }
}

/** Ratios are those of CPU time for a request, new to old. */
export function againstTable(bytes: number, results: readonly AgainstResult[]): Table {
  return {
    title: `Hits of ${formatSize(bytes)} through Express 5, new build to old`,
    head: ['', 'old, CPU µs', 'new, CPU µs', 'new/old', 'limit'],
    rows: results.map((result) => [
      result.label,
      cpuOf(result.old),
      cpuOf(result.new),
      cpuRatio(result.new, result.old)?.toFixed(3) ?? '–',
      `≤ ${result.limit.toFixed(2)}`,
    ]),
    notes: [
      'Where there is a user, only the handler of the new build reads it: the old one would not store the page.',
    ],
  };
}

function cpuOf(turns: readonly Turn[]): string {
  const cpuUs = turns.flatMap((turn) => turn.cpuUs ?? []);
  return cpuUs.length === 0 ? '–' : median(cpuUs).toFixed(1);
}
