import { Coherence, type TierClock } from '../../../src/backends/tiered/coherence';
import { LocalTier } from '../../../src/backends/tiered/local-tier';
import type { Register } from '../../../src/backends/tiered/register';
import type { BusListener, MessageBus } from '../../../src/cache/message-bus';
import { randomFrom } from '../../support/seeded-random';

/** How processes hear of changes. */
export type ModelStore =
  /** By messages, some of which are lost, late or out of order. */
  | 'messages'
  /** They look for themselves, into a ledger that is exchanged atomically. */
  | 'ledger'
  /** The same, in a store that knows no exchange. */
  | 'unatomic';

/** What may be spoilt, to see that the model finds it. */
export type Fault =
  | 'kept whatever was told meanwhile'
  | 'answers not awaited'
  | 'gap ignored'
  | 'told before it is written'
  | 'ledger read from a replica'
  | 'copies used without trust';

/** What happened in some runs. */
export interface Outcome {
  /** Of the run with the violation, or the last. */
  readonly seed: number;
  readonly steps: number;
  readonly counts: Readonly<Record<Event, number>>;
  /** A reader was shown what was changed. */
  readonly violation: string | undefined;
}

type Event =
  | 'near'
  | 'far'
  | 'written'
  | 'failed'
  | 'lost'
  | 'set back'
  | 'frozen'
  | 'left'
  | 'joined';

interface Step {
  readonly at: number;
  readonly process: Process | undefined;
  take(): void;
}

interface Process {
  readonly coherence: Coherence;
  readonly tier: LocalTier<number>;
  frozenUntil: number;
  isGone: boolean;
  /** The last change that a message told of, of each ledger. */
  readonly heard: Map<string, { readonly seq: number; readonly change: string }>;
}

/** What the store was. */
interface Past {
  readonly until: number;
  readonly text: string | undefined;
  readonly values: ReadonlyMap<string, number>;
}

/** A message of {@link Coherence}. */
type Message = [
  kind: string,
  by: string,
  change: string,
  incarnation: string,
  seq: number,
  before: string,
];

const TRUST_MS = 100;
const END_MS = 1200;
const KEYS = ['a', 'b'];
const LAG_MS = 40;

/** One run: a few processes that read, write, freeze and come and go, as the seed tells. */
class World {
  steps = 0;
  violation: string | undefined;
  readonly counts: Record<Event, number> = {
    near: 0,
    far: 0,
    written: 0,
    failed: 0,
    lost: 0,
    'set back': 0,
    frozen: 0,
    left: 0,
    joined: 0,
  };
  readonly #random: () => number;
  readonly #store: ModelStore;
  readonly #fault: Fault | undefined;
  readonly #events: Step[] = [];
  readonly #processes: Process[] = [];
  readonly #listeners = new Map<string, Set<{ process: Process; listener: BusListener }>>();
  readonly #values = new Map(KEYS.map((key) => [key, 1]));
  /** The newest value for which a write has been fulfilled. */
  readonly #floors = new Map(KEYS.map((key) => [key, 1]));
  readonly #lossShare: number;
  #ledger: string | undefined;
  /** What the ledger was, and until when. */
  readonly #past: Past[] = [];
  /** How often the store was set back to what it was. */
  #epoch = 0;
  /** Until when a process may show what it has of before that, and no longer. */
  #graceUntil = Number.NEGATIVE_INFINITY;
  #now = 0;
  #written = 1;

  constructor(
    readonly seed: number,
    store: ModelStore,
    fault: Fault | undefined,
  ) {
    this.#random = randomFrom(seed);
    this.#store = store;
    this.#fault = fault;
    this.#lossShare = this.#chance(0.5) ? 0 : 0.3;
    const count = 2 + this.#below(2);
    for (let i = 0; i < count; i += 1) this.#join();
    for (let i = 0; i < 60; i += 1) this.#plan(() => this.#read());
    for (let i = 0; i < 6; i += 1) this.#plan(() => this.#write());
    for (let i = this.#below(3); i > 0; i -= 1) this.#plan(() => this.#freeze());
    if (this.#chance(0.3)) this.#plan(() => this.#lose());
    if (this.#chance(0.3)) this.#plan(() => this.#setBack());
    if (this.#chance(0.3)) this.#plan(() => this.#leave());
    if (this.#chance(0.3)) this.#plan(async () => this.#join());
  }

  /** Lets the next thing happen. @returns whether there was one */
  step(): boolean {
    const next = this.#events.shift();
    if (next === undefined || next.at > END_MS + 10 * TRUST_MS) return false;
    this.#now = Math.max(this.#now, next.at);
    const { process } = next;
    if (process !== undefined && process.frozenUntil > this.#now) {
      this.#at(process.frozenUntil + this.#random(), process, next.take);
      return true;
    }
    this.steps += 1;
    if (process?.isGone !== true) next.take();
    return true;
  }

  #at(at: number, process: Process | undefined, take: () => void): Step {
    const event = { at, process, take };
    let i = this.#events.length;
    while (i > 0 && this.#events[i - 1]!.at > at) i -= 1;
    this.#events.splice(i, 0, event);
    return event;
  }

  #plan(work: () => Promise<void>): void {
    this.#at(this.#random() * END_MS, undefined, () => void work());
  }

  /** Asks the store: it does `work` a moment later, and the answer takes another. */
  #ask<T>(process: Process, work: () => T, canFail = true): Promise<T> {
    return new Promise((resolve, reject) => {
      const toStoreMs = this.#moment();
      const isLost = canFail && this.#chance(0.02);
      this.#at(this.#now + toStoreMs, undefined, () => {
        const answer = work();
        this.#at(this.#now + this.#moment(), process, () => {
          if (isLost) reject(new Error('The answer was lost.'));
          else resolve(answer);
        });
      });
    });
  }

  /** Mostly a short one. */
  #moment(): number {
    return this.#chance(0.1) ? this.#random() * 60 : this.#random() * 3;
  }

  #join(): void {
    this.counts.joined += 1;
    const process = { frozenUntil: 0, isGone: false, heard: new Map() } as unknown as Process;
    const clock: TierClock = {
      now: () => this.#now,
      after: (ms, _isIdle, work) => {
        const event = this.#at(this.#now + ms, process, work);
        return () => {
          const i = this.#events.indexOf(event);
          if (i !== -1) this.#events.splice(i, 1);
        };
      },
    };
    const tier = new LocalTier<number>(1e6, 1e6, clock.now);
    const coherence = new Coherence({
      register: this.#registerOf(process),
      bus: this.#store === 'messages' ? this.#busOf(process) : undefined,
      channel: 'all',
      clock,
      trustMs: TRUST_MS,
      follower: {
        onChange: (names) => tier.drop(names),
        onLoss: () => tier.clear(),
        onIdle: () => {},
      },
    });
    Object.assign(process, { tier, coherence });
    this.#processes.push(process);
    coherence.join();
  }

  #registerOf(process: Process): Register {
    const put = (text: string): void => {
      this.#past.push({ until: this.#now, text: this.#ledger, values: new Map(this.#values) });
      this.#ledger = text;
    };
    const seen = (): string | undefined => {
      if (this.#fault !== 'ledger read from a replica') return this.#ledger;
      const past = this.#past.find(({ until }) => until > this.#now - LAG_MS);
      return past === undefined ? this.#ledger : past.text;
    };
    const isAtomic = this.#store !== 'unatomic';
    return {
      isAtomic,
      read: () => this.#ask(process, seen),
      swap: (from, to) =>
        this.#ask(process, () => {
          if (isAtomic && this.#ledger !== from) return false;
          put(to);
          return true;
        }),
    };
  }

  #busOf(process: Process): MessageBus {
    return {
      maxBytes: 1000,
      listen: async (channels, listener) => {
        for (const channel of channels) {
          const known = this.#listeners.get(channel) ?? new Set();
          this.#listeners.set(channel, known.add({ process, listener }));
        }
      },
      say: async (channel, text) => {
        for (const { process: other, listener } of this.#listeners.get(channel) ?? []) {
          if (this.#chance(this.#lossShare)) continue;
          this.#at(this.#now + this.#moment(), other, () => {
            if (this.#fault === 'gap ignored') this.#fillGap(other, listener, text);
            listener.onMessage(this.#chance(0.01) ? text.slice(1) : text);
          });
        }
      },
      close: async () => {},
    };
  }

  /** Makes it look as if nothing had been missed. */
  #fillGap({ heard }: Process, listener: BusListener, text: string): void {
    const [kind, , change, incarnation, seq, before] = JSON.parse(text) as Message;
    if (kind !== 'change') return;
    const last = heard.get(incarnation) ?? { seq: 0, change: '' };
    if (seq <= last.seq) return;
    for (let missed = last.seq + 1; missed < seq; missed += 1) {
      const isLast = missed === seq - 1;
      const id = isLast ? before : `${missed}`;
      const previous = missed === last.seq + 1 ? last.change : `${missed - 1}`;
      const filler = ['change', 'nobody', id, incarnation, missed, previous, []];
      listener.onMessage(JSON.stringify(filler));
    }
    heard.set(incarnation, { seq, change });
  }

  async #read(): Promise<void> {
    const process = this.#anybody();
    if (process === undefined) return;
    const { coherence, tier } = process;
    const key = KEYS[this.#below(KEYS.length)]!;
    const floor = this.#floors.get(key)!;
    const epoch = this.#epoch;
    const isTrusted = coherence.isTrusted || this.#fault === 'copies used without trust';
    const copy = isTrusted ? tier.find(key) : undefined;
    if (copy !== undefined) {
      this.counts.near += 1;
      if (this.#now >= this.#graceUntil) this.#check('near', key, copy, floor);
      return;
    }
    const { isFollowing } = coherence;
    const fetch = tier.begin(key);
    try {
      const value = await this.#ask(process, () => this.#values.get(key)!);
      this.counts.far += 1;
      if (epoch === this.#epoch) this.#check('far', key, value, floor);
      if (this.#fault === 'kept whatever was told meanwhile') fetch.isSpoilt = false;
      if (isFollowing) tier.keep(fetch, value, 1, null);
    } catch {
      this.counts.failed += 1;
    } finally {
      tier.end(fetch);
    }
  }

  #check(how: string, key: string, value: number, floor: number): void {
    if (value < floor) {
      this.violation ??= `${how}: ${key} was ${value}, and ${floor} had been written`;
    }
  }

  async #write(): Promise<void> {
    const process = this.#anybody();
    if (process === undefined) return;
    const { coherence, tier } = process;
    const key = KEYS[this.#below(KEYS.length)]!;
    tier.drop([key]);
    const epoch = this.#epoch;
    const isEarly = this.#fault === 'told before it is written';
    try {
      if (isEarly) await (await coherence.announce([key])).isSeen;
      const value = await this.#ask(process, () => {
        this.#written += 1;
        this.#values.set(key, this.#written);
        return this.#written;
      });
      if (!isEarly) {
        const { isSeen } = await coherence.announce(this.#chance(0.1) ? 'all' : [key]);
        if (this.#fault !== 'answers not awaited') await isSeen;
      }
      this.counts.written += 1;
      // What was lost meanwhile was written for nothing.
      if (epoch === this.#epoch) this.#floors.set(key, Math.max(this.#floors.get(key)!, value));
      for (let i = 0; i < 3; i += 1) this.#at(this.#now, undefined, () => void this.#read());
    } catch {
      this.counts.failed += 1;
    } finally {
      tier.drop([key]);
    }
  }

  async #freeze(): Promise<void> {
    const process = this.#anybody();
    if (process === undefined) return;
    this.counts.frozen += 1;
    process.frozenUntil = this.#now + this.#random() * 3 * TRUST_MS;
  }

  async #lose(): Promise<void> {
    this.counts.lost += 1;
    this.#ledger = undefined;
  }

  /** The store comes back with an old copy of what it held, by which connections may break. */
  async #setBack(): Promise<void> {
    // Seldom far: then it is soon as far on again, with other changes.
    const past = this.#past.at(-1 - this.#below(Math.min(this.#past.length, 4)));
    if (past === undefined) return;
    this.counts['set back'] += 1;
    this.#ledger = past.text;
    for (const [key, value] of past.values) this.#values.set(key, value);
    for (const key of KEYS)
      this.#floors.set(key, Math.min(this.#floors.get(key)!, this.#values.get(key)!));
    this.#epoch += 1;
    this.#graceUntil = this.#now + TRUST_MS;
    if (this.#chance(0.5)) this.#join();
    for (let i = this.#below(5); i > 0; i -= 1) {
      this.#at(this.#now + this.#random() * 40, undefined, () => void this.#write());
    }
    if (this.#chance(0.5)) return;
    for (const known of this.#listeners.values()) {
      for (const { process, listener } of known) {
        this.#at(this.#now + this.#moment(), process, () => listener.onGap());
      }
    }
  }

  /** Closes, or is killed. */
  async #leave(): Promise<void> {
    const process = this.#anybody();
    if (process === undefined) return;
    this.counts.left += 1;
    this.#processes.splice(this.#processes.indexOf(process), 1);
    if (this.#chance(0.5)) await process.coherence.close();
    else process.isGone = true;
  }

  /** One that is awake. */
  #anybody(): Process | undefined {
    const awake = this.#processes.filter(({ frozenUntil }) => frozenUntil <= this.#now);
    return awake[this.#below(awake.length)];
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}

/** Worlds that live at once, so that promises are waited for once for a step of each of them. */
const ABREAST = 128;

/** Runs so many worlds, until one of them fails. */
export async function explore(
  store: ModelStore,
  runs: number,
  { seed = 1, fault }: { seed?: number; fault?: Fault } = {},
): Promise<Outcome> {
  const { counts } = new World(0, store, undefined);
  for (const event of Object.keys(counts) as Event[]) counts[event] = 0;
  let steps = 0;
  let next = seed;
  let worlds: World[] = [];
  for (;;) {
    while (worlds.length < ABREAST && next < seed + runs) {
      worlds.push(new World(next, store, fault));
      next += 1;
    }
    if (worlds.length === 0) return { seed: next - 1, steps, counts, violation: undefined };
    // All that follows from the steps before is done by then.
    await new Promise((resolve) => setImmediate(resolve));
    const left: World[] = [];
    for (const world of worlds) {
      const { violation } = world;
      if (violation !== undefined) return { seed: world.seed, steps, counts, violation };
      if (world.step()) {
        left.push(world);
        continue;
      }
      steps += world.steps;
      for (const event of Object.keys(counts) as Event[]) counts[event] += world.counts[event];
    }
    worlds = left;
  }
}
