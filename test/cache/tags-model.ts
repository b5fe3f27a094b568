import { LocalTagStore } from '../../src/backends/local-tag-store';
import type { BaseCache } from '../../src/cache/base-cache';
import { type CounterCache, SharedTagStore } from '../../src/cache/shared-tag-store';
import {
  CLOCK,
  type Counters,
  PURGES,
  type PurgeMode,
  type TagStore,
  Tags,
} from '../../src/cache/tags';
import { CacheKeyNotFoundError } from '../../src/errors';
import { randomFrom } from '../support/seeded-random';

/** How the counters are kept. */
export type ModelStore =
  /** In each process's own memory; the model then has one process. */
  | 'local'
  /** In a store that counts atomically, as a server does. */
  | 'atomic'
  /** In a store whose `add` reads and writes apart, as files do. */
  | 'unatomic'
  /** In a real store, in which each world has a namespace: the caches of its processes. */
  | readonly BaseCache[];

/** What may be spoilt, to see that the model finds it. */
export type Fault =
  | 'noted at the end'
  | 'late tags unchecked'
  | 'log says nothing'
  | 'logged last'
  | 'logged first'
  | 'purge not awaited'
  | 'purges not counted'
  | 'missing counter made as it was'
  | 'counted in two steps';

/** What happened in some runs. */
export interface Outcome {
  /** Of the run with the violation, or the last. */
  readonly seed: number;
  readonly steps: number;
  readonly counts: Readonly<Record<Event, number>>;
  /** A reader was shown what was purged. */
  readonly violation: string | undefined;
}

type Event = 'valid' | 'stale' | 'purged' | 'absent' | 'refused' | 'resolved' | 'crash' | 'lost';

interface Entry {
  readonly counters: Counters;
  readonly versions: readonly number[];
  validAt?: number;
}

interface Step {
  readonly process: Process | undefined;
  /** What it returns is to be waited for before the next step. */
  take(): void | Promise<void>;
}

/** A process, its clock ahead of the others' by this many seconds. */
interface Process {
  readonly tags: Tags;
  readonly skew: number;
  isDead: boolean;
}

interface Stored {
  readonly value: unknown;
  readonly expiresAt: number;
}

const PURGES_KEY = `cachewright.tag.${PURGES}`;
const ITEMS = 2;
const SKEW = 10;
const DEFAULT_SECONDS = 300;
/** One run: a few processes that render, write, purge and read, in an order that the seed tells. */
class World {
  steps = 0;
  violation: string | undefined;
  readonly counts: Record<Event, number> = {
    valid: 0,
    stale: 0,
    purged: 0,
    absent: 0,
    refused: 0,
    resolved: 0,
    crash: 0,
    lost: 0,
  };
  readonly #pending: Step[] = [];
  readonly #random: () => number;
  readonly #store: ModelStore;
  readonly #fault: Fault | undefined;
  readonly #processes: Process[] = [];
  readonly #stored = new Map<string, Stored>();
  readonly #versions = Array.from({ length: ITEMS }, () => 1);
  /** The versions for which a purge has resolved, of any mode, and a hard one. */
  readonly #floors = Array.from({ length: ITEMS }, () => 0);
  readonly #hardFloors = Array.from({ length: ITEMS }, () => 0);
  readonly #names: readonly string[];
  /** Of how many items the tags are known before the render. */
  readonly #known: number;
  /** Whether each process judges by its own clock what has expired. */
  readonly #isSkewed: boolean;
  readonly #local: LocalTagStore | undefined;
  /** Whether of several counters each is read or written at a moment of its own. */
  readonly #isCluster: boolean;
  /** Whether entries are made of others, one for each item. */
  readonly #hasParts: boolean;
  readonly #parts: (Entry | undefined)[] = [];
  #entry: Entry | undefined;
  #now = 0;
  #isEnding = false;
  /** Keys in the real store. */
  readonly #keys = new Set<string>();
  /** Whether a step has not ended yet. */
  isBusy = false;

  constructor(
    readonly seed: number,
    store: ModelStore,
    fault: Fault | undefined,
  ) {
    this.#random = randomFrom(seed);
    this.#store = store;
    if (store === 'local') this.#local = new LocalTagStore();
    this.#isCluster = this.#chance(0.3);
    this.#hasParts = this.#chance(0.5);
    this.#fault = fault;
    this.#known = this.#below(ITEMS + 1);
    this.#isSkewed = this.#chance(0.5);
    this.#names = Array.from({ length: ITEMS }, (_, i) => `t.${i}`);
    const processes = store === 'local' ? 1 : 2 + this.#below(2);
    for (let i = 0; i < processes; i += 1) this.#processes.push(this.#makeProcess(i));
    const renders = 1 + this.#below(3) + (this.#hasParts ? 2 : 0);
    this.#begin(renders, (process) => this.#render(process));
    this.#begin(1 + this.#below(2), (process) => this.#write(process));
    this.#begin(this.#below(3), this.#read);
    if (this.#chance(0.4)) this.#begin(1 + this.#below(2), (process) => this.#lose(process));
    if (this.#chance(0.3)) this.#begin(1, (process) => this.#crash(process));
    if (this.#isSkewed) this.#begin(1 + this.#below(2), () => this.#leap());
  }

  /** Takes one of the steps that are possible now. @returns whether there was one */
  step(): boolean {
    const { length } = this.#pending;
    if (length === 0) {
      if (this.#isEnding) return false;
      // What was stored last is looked at, too.
      this.#isEnding = true;
      for (const process of this.#processes) if (!process.isDead) this.#start(process, this.#read);
      return this.#pending.length > 0;
    }
    this.steps += 1;
    const at = this.#below(length);
    const step = this.#pending[at]!;
    const last = this.#pending.pop()!;
    if (last !== step) this.#pending[at] = last;
    const taken = step.take();
    if (taken !== undefined) {
      this.isBusy = true;
      void taken.then(() => {
        this.isBusy = false;
      });
    }
    return true;
  }

  #makeProcess(i: number): Process {
    const process = {
      skew: this.#isSkewed ? this.#below(2 * SKEW + 1) - SKEW : 0,
      isDead: false,
    } as Process & { tags: Tags };
    const cache =
      typeof this.#store === 'string'
        ? this.#cacheOf(process)
        : this.#partOf(process, this.#store[i]!);
    const store = this.#local ?? new SharedTagStore(cache);
    const spoilt = spoil(store, this.#fault);
    const order = PURGE_ORDERS[this.#fault ?? ''];
    process.tags = order === undefined ? new Tags(spoilt) : new OrderedTags(spoilt, order);
    return process;
  }

  #begin(count: number, actor: (process: Process) => Promise<void>): void {
    for (let i = 0; i < count; i += 1) {
      this.#start(this.#processes[this.#below(this.#processes.length)]!, actor);
    }
  }

  #start(process: Process, actor: (process: Process) => Promise<void>): void {
    void this.#soon(process, () => {}).then(() => actor.call(this, process));
  }

  /** Does something at a moment to come, and tells of it at a later one. */
  #soon<T>(process: Process, work: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const tell = (told: () => void): void => {
        const take = (): void => {
          if (!process.isDead) told();
        };
        if (this.#chance(0.5)) take();
        else this.#pending.push({ process, take });
      };
      const take = (): void | Promise<void> => {
        try {
          const result = work();
          if (result instanceof Promise) {
            return result.then(
              (value) => tell(() => resolve(value)),
              (error) => tell(() => reject(error)),
            );
          }
          tell(() => resolve(result));
        } catch (error) {
          tell(() => reject(error as Error));
        }
      };
      this.#pending.push({ process, take });
    });
  }

  async #render(process: Process): Promise<void> {
    const { tags } = process;
    const early = this.#names.slice(0, this.#known);
    const late = this.#names.slice(this.#known);
    const isLast = this.#fault === 'noted at the end';
    try {
      let noted = isLast ? undefined : await tags.note(early);
      const versions: number[] = [];
      for (let i = 0; i < ITEMS; i += 1) {
        versions[i] = await this.#part(process, i);
      }
      noted ??= await tags.note(early);
      const counters =
        this.#fault === 'late tags unchecked'
          ? new Map([...noted.counters, ...(await tags.note(late)).counters])
          : await tags.confirm(noted, late);
      if (counters === undefined) {
        this.counts.refused += 1;
        return;
      }
      await this.#soon(process, () => {
        this.#entry = { counters, versions };
      });
    } catch (error) {
      // A counter that was lost as often as it was made.
      if (!/can neither be stored nor found/.test(String(error))) throw error;
    }
  }

  /** The version of an item, now and then from an entry of its own. */
  async #part(process: Process, item: number): Promise<number> {
    const { tags } = process;
    const current = () => this.#soon(process, () => this.#versions[item]!);
    if (!this.#hasParts) return current();
    const part = await this.#soon(process, () => this.#parts[item]);
    if (part !== undefined && (await tags.check(part.counters)) === 'valid') {
      return part.versions[0]!;
    }
    const noted = await tags.note([this.#names[item]!]);
    const version = await current();
    const counters = await tags.confirm(noted, []);
    if (counters !== undefined) {
      await this.#soon(process, () => {
        this.#parts[item] = { counters, versions: [version] };
      });
    }
    return version;
  }

  async #write(process: Process): Promise<void> {
    const items = this.#chance(0.8) ? [this.#below(ITEMS)] : [...Array(ITEMS).keys()];
    const mode = this.#chance(0.4) ? 'soft' : 'hard';
    const isLate = items.some((item) => item >= this.#known);
    const written = await this.#soon(process, () =>
      items.map((item) => {
        this.#versions[item]! += 1;
        return this.#versions[item]!;
      }),
    );
    const names = items.map((item) => this.#names[item]!);
    const purge = process.tags.purge(names, mode, isLate);
    if (this.#fault !== 'purge not awaited') await purge;
    this.counts.resolved += 1;
    items.forEach((item, i) => {
      raise(this.#floors, item, written[i]!);
      if (mode === 'hard') raise(this.#hardFloors, item, written[i]!);
    });
    this.#begin(1, this.#read);
  }

  async #read(process: Process): Promise<void> {
    const { tags } = process;
    // What a process remembers of an earlier read must not mislead it.
    if (this.#chance(0.5)) this.#start(process, this.#read);
    const floors = [...this.#floors];
    const hardFloors = [...this.#hardFloors];
    const current = this.#chance(0.5) ? tags.read(tags.namesToRead(this.#names)) : undefined;
    const entry = await this.#soon(process, () => this.#entry);
    if (entry === undefined) {
      this.counts.absent += 1;
      return;
    }
    const { sequence } = tags;
    let validity = sequence !== undefined && entry.validAt === sequence ? 'valid' : undefined;
    validity ??= current
      ? await tags.checkRead(entry.counters, await current)
      : await tags.check(entry.counters);
    if (validity === 'valid' && !current && sequence !== undefined) entry.validAt = sequence;
    this.counts[validity as 'valid' | 'stale' | 'purged'] += 1;
    if (validity === 'purged') return;
    const least = validity === 'valid' ? floors : hardFloors;
    const item = entry.versions.findIndex((version, i) => version < least[i]!);
    if (item !== -1) {
      this.violation ??= `${validity}: version ${entry.versions[item]} of item ${item}, purged for version ${least[item]}`;
    }
  }

  /** Evicts something, or everything. */
  async #lose(process: Process): Promise<void> {
    this.counts.lost += 1;
    if (this.#local !== undefined) {
      this.#local.clear();
      return;
    }
    if (typeof this.#store !== 'string') {
      const [cache] = this.#store;
      const keys = [...this.#keys];
      const lost = this.#chance(0.2) ? keys : [keys[this.#below(keys.length)]!];
      if (keys.length > 0) await this.#soon(process, () => cache!.deleteMany(lost));
      return;
    }
    const keys = [...this.#stored.keys()];
    if (this.#chance(0.2)) this.#stored.clear();
    else if (keys.length > 0) this.#stored.delete(keys[this.#below(keys.length)]!);
  }

  /** The process stops; what it has asked for may still be done. */
  async #crash(process: Process): Promise<void> {
    this.counts.crash += 1;
    process.isDead = true;
    for (let i = this.#pending.length - 1; i >= 0; i -= 1) {
      if (this.#pending[i]!.process === process && this.#chance(0.5)) this.#pending.splice(i, 1);
    }
  }

  /** Time passes, up to where something is about to expire by some of the clocks. */
  async #leap(): Promise<void> {
    const ends = [...this.#stored.values()]
      .map(({ expiresAt }) => expiresAt)
      .filter(Number.isFinite);
    if (ends.length === 0) return;
    const end = ends[this.#below(ends.length)]!;
    this.#now = Math.max(this.#now, end + this.#below(2 * SKEW + 1) - SKEW);
  }

  /** What of a real store is this world's. */
  #partOf(process: Process, cache: BaseCache): CounterCache {
    const name = (key: string) => {
      const own = `${this.seed}.${key}`;
      this.#keys.add(own);
      return own;
    };
    const soon = <T>(work: () => Promise<T>) => this.#soon(process, work);
    return {
      countsAtomically: cache.countsAtomically,
      readCounters: (keys) =>
        soon(async () => {
          const found = await cache.readCounters(keys.map(name));
          return Object.fromEntries(keys.map((key) => [key, found[name(key)]]));
        }),
      add: (key, value, seconds) => soon(() => cache.add(name(key), value, seconds)),
      set: (key, value, seconds) => soon(() => cache.set(name(key), value, seconds)),
      setMany: (entries, seconds) =>
        soon(() => {
          const own = Object.entries(entries).map(([key, value]) => [name(key), value] as const);
          return cache.setMany(own, seconds);
        }),
      incr: (key, delta) => soon(() => cache.incr(name(key), delta)),
      touch: (key, seconds) => soon(() => cache.touch(name(key), seconds)),
    };
  }

  #cacheOf(process: Process): CounterCache {
    const live = (key: string): unknown => {
      const found = this.#stored.get(key);
      return found && found.expiresAt > this.#now + process.skew ? found.value : undefined;
    };
    const put = (key: string, value: unknown, seconds: number | null): void => {
      const expiresAt = seconds === null ? Infinity : this.#now + process.skew + seconds;
      this.#stored.set(key, { value, expiresAt });
    };
    const soon = <T>(work: () => T) => this.#soon(process, work);
    const isAtomic = this.#store === 'atomic';
    return {
      countsAtomically: isAtomic,
      readCounters: async (keys) => {
        if (!this.#isCluster) {
          return soon(() => Object.fromEntries(keys.map((key) => [key, live(key)])));
        }
        const found = await Promise.all(keys.map((key) => soon(() => live(key))));
        return Object.fromEntries(keys.map((key, i) => [key, found[i]]));
      },
      add: async (key, value, seconds) => {
        const add = (): boolean => {
          const isFree = live(key) === undefined;
          if (isFree) put(key, value, seconds);
          return isFree;
        };
        if (isAtomic) return soon(add);
        const isFree = await soon(() => live(key) === undefined);
        if (isFree) await soon(() => put(key, value, seconds));
        return isFree;
      },
      set: (key, value, seconds) => soon(() => put(key, value, seconds)),
      setMany: async (entries, seconds) => {
        if (this.#fault === 'purges not counted' && PURGES_KEY in entries) return [];
        const all = Object.entries(entries).map(
          ([key, value]) =>
            () =>
              put(key, value, seconds),
        );
        if (this.#isCluster) await Promise.all(all.map(soon));
        else await soon(() => void all.map((write) => write()));
        return [];
      },
      incr: async (key, delta) => {
        const early =
          this.#fault === 'counted in two steps' ? await soon(() => live(key)) : undefined;
        return soon(() => {
          const value = early ?? live(key);
          if (typeof value !== 'number') throw new CacheKeyNotFoundError(key, 'incr');
          put(key, value + delta, DEFAULT_SECONDS);
          return value + delta;
        });
      },
      touch: (key, seconds) =>
        soon(() => {
          const value = live(key);
          if (value !== undefined) put(key, value, seconds);
          return value !== undefined;
        }),
    };
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}

/** Worlds that live at once, so that promises are waited for once for a step of each of them. */
const ABREAST = 64;

/** Runs so many worlds, until one of them fails. */
export async function explore(
  store: ModelStore,
  runs: number,
  { seed = 1, fault }: { seed?: number; fault?: Fault } = {},
): Promise<Outcome> {
  const counts = new World(0, store, undefined).counts;
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
    const found = worlds.find((world) => world.violation !== undefined);
    if (found !== undefined) {
      // A real store is left in peace before anybody closes it.
      if (worlds.some((world) => world.isBusy)) continue;
      return { seed: found.seed, steps, counts, violation: found.violation };
    }
    for (const world of worlds) {
      if (world.isBusy || world.step()) {
        left.push(world);
        continue;
      }
      steps += world.steps;
      for (const event of Object.keys(counts) as Event[]) counts[event] += world.counts[event];
    }
    worlds = left;
  }
}

function spoil(store: TagStore, fault: Fault | undefined): TagStore {
  const spoilt: TagStore = {
    get sequence() {
      return store.sequence;
    },
    get changes() {
      return store.changes;
    },
    countsPurges: store.countsPurges,
    read: (names) => store.read(names),
    make: (name) => store.make(name),
    advance: (names, mode) => store.advance(names, mode),
    log: (names) => store.log(names),
    readLog: (values) => store.readLog(values),
  };
  if (fault === 'log says nothing') spoilt.readLog = (values) => values.map(() => []);
  if (fault === 'missing counter made as it was') {
    spoilt.make = async (name) => (name === CLOCK ? store.make(name) : 0);
    spoilt.read = async (names) =>
      (await store.read(names)).map((value, i) => (names[i] === CLOCK ? value : (value ?? 0)));
  }
  return spoilt;
}

/** Orders of a purge that are wrong. */
const PURGE_ORDERS: Readonly<Record<string, readonly ('advance' | 'log')[] | undefined>> = {
  'logged last': ['advance', 'log'],
  'logged first': ['log', 'advance'],
};

class OrderedTags extends Tags {
  readonly #order: readonly ('advance' | 'log')[];

  constructor(store: TagStore, order: readonly ('advance' | 'log')[]) {
    super(store);
    this.#order = order;
  }

  override async purge(names: readonly string[], mode: PurgeMode, isLate: boolean): Promise<void> {
    for (const step of this.#order) {
      if (step === 'advance') await this.store.advance(names, mode);
      else if (isLate) await this.store.log(names);
    }
  }
}

function raise(floors: number[], item: number, version: number): void {
  floors[item] = Math.max(floors[item]!, version);
}
