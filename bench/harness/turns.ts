import { setTimeout as delay } from 'node:timers/promises';
import type { Load, LoadRequest } from './load';
import type { Target } from './targets';

/** What one turn of a server gave. */
export interface Turn {
  readonly requests: number;
  readonly perSecond: number;
  /** CPU time of the server for one request, in microseconds. */
  readonly cpuUs: number | undefined;
  /** The share of the time in which the server had a processor. */
  readonly busy: number | undefined;
}

/** A server that takes turns with others. */
export interface Player {
  readonly label: string;
  readonly target: Target;
  readonly turns: Turn[];
}

/** How a competition goes. */
export interface Rules {
  readonly rounds: number;
  readonly seconds: number;
  /** Of the first round: until V8 has compiled what is in use. */
  readonly warmUpSeconds: number;
  readonly connections: number;
  /** Whether each request is for a page of its own. */
  readonly isFresh: boolean;
}

/**
 * Has servers take turns, so that what else the machine does meets all of them. The first round warms
 * them up and is dropped. Each begins as often as the others, as far as that is possible by going
 * through them forwards and backwards.
 */
export async function compete(players: readonly Player[], load: Load, rules: Rules): Promise<void> {
  for (let round = 0; round <= rules.rounds; round += 1) {
    for (const player of round % 2 === 0 ? players : players.toReversed()) {
      const seconds = round === 0 ? rules.warmUpSeconds : rules.seconds;
      const turn = await takeTurn(player, load, { ...rules, seconds }, round);
      if (round > 0) player.turns.push(turn);
    }
  }
}

async function takeTurn(
  { label, target }: Player,
  load: Load,
  { seconds, connections, isFresh }: Rules,
  round: number,
): Promise<Turn> {
  const url = isFresh ? `${target.url}-${round}` : target.url;
  const request: LoadRequest = { url, seconds, connections, isFresh };
  const before = await target.cpuUs();
  const result = await load.apply(request);
  const after = await target.cpuUs();
  if (result.failures.length > 0) {
    throw new Error(`${label}: requests failed (${result.failures.join(', ')}).`);
  }
  if (result.requests === 0) throw new Error(`${label}: no request was answered.`);
  const cpuUs = before === undefined || after === undefined ? undefined : after - before;
  return {
    requests: result.requests,
    perSecond: result.requests / result.seconds,
    cpuUs: cpuUs === undefined ? undefined : cpuUs / result.requests,
    busy: cpuUs === undefined ? undefined : cpuUs / 1e6 / result.seconds,
  };
}

/** Lets a server finish what it does after an answer, such as storing it. */
export function settle(): Promise<void> {
  return delay(100);
}
