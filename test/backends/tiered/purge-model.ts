import {
  BaseCache,
  CacheKeyNotFoundError,
  type CacheParams,
  TieredCache,
  type Timeout,
  type VersionOption,
} from 'cachewright';
import { monotonicClock } from '../../../src/backends/tiered/monotonic-clock';
import type { FrozenPlace } from '../../../src/cache/base-cache';
import { Envelope, isPlaceholder, newHead } from '../../../src/cache/envelope';
import type { FrozenValue } from '../../../src/cache/frozen-value';
import type { Fill, FillToken } from '../../../src/cache/get-or-set';
import type { BusListener, MessageBus } from '../../../src/cache/message-bus';
import { nameOfRemoval, tagName } from '../../../src/cache/tag-names';
import type { Counters } from '../../../src/cache/tags';
import { ValueCodec } from '../../../src/cache/value-codec';
import { borneOf } from '../../../src/page-cache/page-tags';
import { randomFrom } from '../../support/seeded-random';

/** What may be spoilt, to see that the model finds it. */
export type Fault =
  | 'noted at the end'
  | 'changes are not told'
  | 'copies of counters never dropped'
  | 'placeholders ignored'
  | 'removals not noted'
  | 'place ignored'
  | 'place opened last';

/** What happened in some runs. */
export interface Outcome {
  /** Of the run with the violation, or the last. */
  readonly seed: number;
  readonly counts: Readonly<Record<Event, number>>;
  /** A reader was shown what was purged. */
  readonly violation: string | undefined;
}

type Event =
  | 'near page'
  | 'far page'
  | 'purged page'
  | 'refused page'
  | 'place lost'
  | 'value'
  | 'purge'
  | 'delete'
  | 'evicted'
  | 'crash'
  | 'lost message';

const TRUST_MS = 100;
const END_MS = 1500;
const PROCESSES = 3;
const TAGS = ['early', 'late'] as const;
const DIGEST = 'd41d8cd98f00b204e9800998ecf8427e';
const PAGE_KEY = `views.decorators.cache.cache_page..GET.${DIGEST}.${DIGEST}`;
const REMOVAL = nameOfRemoval(PAGE_KEY)!;
const DEADLINE_MS = 1e6;

interface Step {
  readonly at: number;
  readonly process: Process | undefined;
  take(): void;
}

interface Process {
  cache: TieredCache;
  /** Until when it hears nothing. */
  frozenUntil: number;
  isDead: boolean;
}

/** A page, as the page cache stores it: the version of the data, and the counters of its tags. */
class Page implements FrozenValue {
  readonly byteLength = 100;
  validAt = -1;

  constructor(
    readonly version: number,
    readonly counters: Counters,
  ) {}

  static from(found: FrozenValue | Uint8Array): Page {
    if (found instanceof Page) return found;
    const [version, counters] = JSON.parse(Buffer.from(found as Uint8Array).toString()) as [
      number,
      [string, number][],
    ];
    return new Page(version, new Map(counters));
  }

  toBytes(): Buffer {
    return Buffer.from(JSON.stringify([this.version, [...this.counters]]));
  }
}

/** A server that does one thing after the other, and is asked over a network that takes its time. */
class Server {
  readonly entries = new Map<string, Buffer>();
  readonly listeners = new Map<string, Set<{ process: Process; listener: BusListener }>>();
}

/** The server as one process has it. */
class ModelCache extends BaseCache {
  override readonly isShared = true;
  override readonly keepsTags = true;
  readonly #codec = new ValueCodec();

  constructor(
    readonly world: World,
    readonly process: Process,
    params?: CacheParams,
  ) {
    super('', params);
  }

  get #entries(): Map<string, Buffer> {
    return this.world.server.entries;
  }

  #ask<T>(work: () => T): Promise<T> {
    return this.world.ask(this.process, work);
  }

  #value(finalKey: string): unknown {
    const bytes = this.#entries.get(finalKey);
    return bytes === undefined ? undefined : this.#codec.decodeBytes(Buffer.from(bytes));
  }

  override async get(key: string, fallback?: unknown, options: VersionOption = {}) {
    const stored = await this.getStored(key, options);
    const value = stored instanceof Envelope ? stored.content?.value : stored;
    return (value === undefined ? fallback : value) as never;
  }

  protected override async getStored(key: string, { version }: VersionOption): Promise<unknown> {
    const finalKey = this.makeKey(key, version);
    return this.opened(finalKey, await this.#ask(() => this.#value(finalKey)));
  }

  override async set(key: string, value: unknown, _timeout?: Timeout, options?: VersionOption) {
    const bytes = this.#codec.encodeBytes(value, key);
    await this.#ask(() => this.#entries.set(this.makeKey(key, options?.version), bytes));
  }

  override add(key: string, value: unknown, _timeout?: Timeout, options?: VersionOption) {
    const finalKey = this.makeKey(key, options?.version);
    const bytes = this.#codec.encodeBytes(value, key);
    return this.#ask(() => {
      if (this.#entries.has(finalKey)) return false;
      this.#entries.set(finalKey, bytes);
      return true;
    });
  }

  override touch(key: string) {
    return this.#ask(() => this.#entries.has(this.makeKey(key)));
  }

  override async delete(key: string, { version }: VersionOption = {}) {
    if (this.world.fault !== 'removals not noted') await this.noteRemovals('delete', [key]);
    return this.#ask(() => this.#entries.delete(this.makeKey(key, version)));
  }

  override async clear() {
    await this.#ask(() => this.#entries.clear());
  }

  override incr(key: string, delta = 1) {
    const finalKey = this.makeKey(key);
    return this.#ask(() => {
      const value = this.#value(finalKey);
      if (typeof value !== 'number') throw new CacheKeyNotFoundError(key, 'incr');
      this.#entries.set(finalKey, this.#codec.encodeBytes(value + delta, key));
      return value + delta;
    });
  }

  override readCounters(keys: readonly string[]): Promise<Record<string, unknown>> {
    const read = () => keys.map((key) => [key, this.#value(this.makeKey(key))]);
    return this.#ask(() => Object.fromEntries(read()));
  }

  override async beginFill(key: string): Promise<Fill> {
    const finalKey = this.makeKey(key);
    const head = newHead();
    const found = await this.#ask(() => {
      const there = this.#value(finalKey);
      if (there === undefined) this.#entries.set(finalKey, head);
      return there;
    });
    return found === undefined ? { token: head } : this.fillOver(finalKey, found);
  }

  override endFill(key: string, token: FillToken, stored: unknown): Promise<boolean> {
    const finalKey = this.makeKey(key);
    const head = token as Buffer;
    const bytes = stored === undefined ? undefined : this.#codec.encodeBytes(stored, key);
    return this.#ask(() => {
      const isThere = this.#entries.get(finalKey)?.subarray(0, head.length).equals(head) === true;
      if (!isThere && this.world.fault !== 'placeholders ignored') return false;
      if (bytes === undefined) this.#entries.delete(finalKey);
      else this.#entries.set(finalKey, bytes);
      return true;
    });
  }

  override async getFrozen(key: string) {
    return this.#ask(() => this.#entries.get(this.makeKey(key)));
  }

  override setFrozen(
    key: string,
    value: FrozenValue,
    _timeout?: Timeout,
    _deadlineMs?: number,
    token?: FillToken,
  ) {
    const finalKey = this.makeKey(key);
    return this.#ask(() => {
      const isThere = this.#entries.get(finalKey)?.equals(token as Buffer) === true;
      if (!isThere && this.world.fault !== 'place ignored') return false;
      this.#entries.set(finalKey, value.toBytes());
      return true;
    });
  }

  override openFrozen(key: string): Promise<FrozenPlace> {
    const finalKey = this.makeKey(key);
    return this.#ask(() => {
      const found = this.#entries.get(finalKey);
      const token = found ?? newHead();
      this.#entries.set(finalKey, token);
      return { token };
    });
  }

  override get swapsLeases(): boolean {
    return true;
  }

  override acquireLease(key: string, token: string) {
    return this.add(key, token, null, { version: 0 });
  }

  override readLease(key: string): Promise<unknown> {
    return this.#ask(() => this.#value(this.makeKey(key, 0)));
  }

  override extendLease(key: string, token: string, _s: number, _ms: number, successor = token) {
    const finalKey = this.makeKey(key, 0);
    return this.#ask(() => {
      if (this.#value(finalKey) !== token) return false;
      this.#entries.set(finalKey, this.#codec.encodeBytes(successor, key));
      return true;
    });
  }

  override openMessages(): MessageBus {
    const { world, process } = this;
    const { listeners } = world.server;
    return {
      maxBytes: 10_000,
      listen: async (channels, listener) => {
        for (const channel of channels) {
          const known = listeners.get(channel) ?? new Set();
          listeners.set(channel, known.add({ process, listener }));
        }
      },
      say: async (channel, text) => {
        for (const one of listeners.get(channel) ?? [])
          world.deliver(one.process, () => one.listener.onMessage(text));
      },
      close: async () => {},
    };
  }
}

/** One run: processes that render, read, write, purge, hang and crash, in an order of the seed's. */
class World {
  readonly server = new Server();
  violation: string | undefined;
  readonly counts: Record<Event, number>;
  readonly #random: () => number;
  readonly #events: Step[] = [];
  readonly #processes: Process[] = [];
  readonly #lossShare: number;
  #now = 0;
  /** Version of the data of pages, and of the value. */
  #page = 1;
  #value = 1;
  /** The versions for which a purge has been fulfilled. */
  #pageFloor = 0;
  #valueFloor = 0;

  constructor(
    readonly seed: number,
    readonly fault: Fault | undefined,
    counts: Record<Event, number>,
  ) {
    this.counts = counts;
    this.#random = randomFrom(seed);
    this.#lossShare = this.#chance(0.5) ? 0 : 0.3;
    for (let i = 0; i < PROCESSES; i += 1) this.#start();
    for (let i = 0; i < 8; i += 1) this.#plan((process) => this.#render(process));
    for (let i = 0; i < 30; i += 1) this.#plan((process) => this.#readPage(process));
    for (let i = 0; i < 20; i += 1) this.#plan((process) => this.#readValue(process));
    for (let i = 0; i < 4; i += 1) this.#plan((process) => this.#changePage(process));
    for (let i = 0; i < 4; i += 1) this.#plan((process) => this.#changeValue(process));
    for (let i = this.#below(3); i > 0; i -= 1) this.#plan((process) => this.#freeze(process));
    if (this.#chance(0.4)) this.#plan(() => this.#evict());
    if (this.#chance(0.3)) this.#plan((process) => this.#crash(process));
  }

  get now(): number {
    return this.#now;
  }

  /** Lets the next thing happen. @returns whether there was one */
  step(): boolean {
    const next = this.#events.shift();
    if (next === undefined || next.at > END_MS + 10 * TRUST_MS) return false;
    this.#now = Math.max(this.#now, next.at);
    const { process } = next;
    if (process !== undefined && process.frozenUntil > this.#now) {
      this.at(process.frozenUntil + this.#random(), process, next.take);
    } else if (process?.isDead !== true) {
      next.take();
    }
    return true;
  }

  /** @returns what calls it off */
  at(at: number, process: Process | undefined, take: () => void): () => void {
    const event = { at, process, take };
    let i = this.#events.length;
    while (i > 0 && this.#events[i - 1]!.at > at) i -= 1;
    this.#events.splice(i, 0, event);
    return () => {
      const found = this.#events.indexOf(event);
      if (found !== -1) this.#events.splice(found, 1);
    };
  }

  /** Asks the server: it does `work` a moment later, and the answer takes another. */
  ask<T>(process: Process, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.at(this.#now + this.#moment(), undefined, () => {
        let tell: () => void;
        try {
          const answer = work();
          tell = () => resolve(answer);
        } catch (error) {
          tell = () => reject(error as Error);
        }
        this.at(this.#now + this.#moment(), process, tell);
      });
    });
  }

  /** Brings a message, if it is not lost: late, and perhaps after one that was sent later. */
  deliver(process: Process, take: () => void): void {
    if (this.fault === 'changes are not told' || this.#chance(this.#lossShare)) {
      this.counts['lost message'] += 1;
      return;
    }
    this.at(this.#now + this.#moment(), process, take);
  }

  #start(): void {
    const process = { frozenUntil: 0, isDead: false } as unknown as Process;
    const shared = new ModelCache(this, process);
    process.cache = new TieredCache(shared, { options: { trustMs: TRUST_MS, maxAge: 3600 } });
    if (this.fault === 'copies of counters never dropped') {
      const { store } = process.cache.tags as unknown as { store: { forget(): void } };
      store.forget = () => {};
    }
    if (this.fault === 'changes are not told') {
      // Who waits for an answer in vain waits until nobody trusts himself: here nobody waits.
      const { tags } = process.cache;
      tags.store.advance = (names, mode) => shared.tags.store.advance(names, mode);
    }
    this.#processes.push(process);
  }

  #plan(actor: (process: Process) => Promise<void>): void {
    this.at(this.#random() * END_MS, undefined, () => this.#begin(actor));
  }

  /** By one that is awake. */
  #begin(actor: (process: Process) => Promise<void>): void {
    const able = this.#processes.filter(
      ({ isDead, frozenUntil }) => !isDead && frozenUntil <= this.#now,
    );
    if (able.length > 0) void actor(able[this.#below(able.length)]!);
  }

  async #render(process: Process): Promise<void> {
    const { cache } = process;
    const isLast = this.fault === 'noted at the end';
    const names = [tagName(TAGS[0]), REMOVAL];
    let noted = isLast ? undefined : await cache.tags.note(names);
    const version = await this.ask(process, () => this.#page);
    noted ??= await cache.tags.note(names);
    const open = () => cache.openFrozen(PAGE_KEY, DEADLINE_MS, false);
    let place = this.fault === 'place opened last' ? undefined : await open();
    const counters = await cache.tags.confirm(noted, [tagName(TAGS[1])]);
    place ??= await open();
    if (counters === undefined) {
      this.counts['refused page'] += 1;
      return;
    }
    const page = new Page(version, borneOf(counters));
    const isStored = await cache.setFrozen(PAGE_KEY, page, 600, DEADLINE_MS, place.token);
    if (!isStored) this.counts['place lost'] += 1;
  }

  /** As the page cache does. */
  async #readPage(process: Process): Promise<void> {
    const { cache } = process;
    const { tags } = cache;
    const floor = this.#pageFloor;
    const names = tags.namesToRead(TAGS.map(tagName));
    const current = tags.sequence === undefined ? tags.read(names) : undefined;
    const atHand = cache.frozenAtHand(PAGE_KEY);
    const found = atHand ?? (await cache.getFrozen(PAGE_KEY, DEADLINE_MS));
    if (found === undefined || (found instanceof Uint8Array && isPlaceholder(found))) return;
    const page = Page.from(found);
    if (found !== page) cache.adoptFrozen(PAGE_KEY, found as Uint8Array, page);
    const { sequence } = tags;
    if (sequence === undefined || page.validAt !== sequence) {
      const validity = await tags.checkRead(page.counters, (await current) ?? new Map());
      if (validity === 'valid' && current === undefined && sequence !== undefined) {
        page.validAt = sequence;
      }
      if (validity !== 'valid') {
        this.counts['purged page'] += 1;
        return;
      }
    }
    this.counts[atHand === undefined ? 'far page' : 'near page'] += 1;
    this.#check('page', page.version, floor);
    if (this.#chance(0.3)) this.#begin((another) => this.#readPage(another));
  }

  async #changePage(process: Process): Promise<void> {
    this.#begin((another) => this.#render(another));
    const version = await this.ask(process, () => {
      this.#page += 1;
      return this.#page;
    });
    if (this.#chance(0.5)) {
      await process.cache.delete(PAGE_KEY);
      this.counts.delete += 1;
    } else {
      await process.cache.invalidateTags([TAGS[this.#below(TAGS.length)]!]);
      this.counts.purge += 1;
    }
    this.#pageFloor = Math.max(this.#pageFloor, version);
    for (let i = 0; i < 3; i += 1) this.#begin((another) => this.#readPage(another));
    this.#begin((another) => this.#render(another));
  }

  async #readValue(process: Process): Promise<void> {
    const floor = this.#valueFloor;
    const make = () => this.ask(process, () => this.#value);
    const options = { tags: ['value'] };
    const value = await process.cache.getOrSet('value', make, 600, options);
    this.counts.value += 1;
    this.#check('value', value, floor);
  }

  async #changeValue(process: Process): Promise<void> {
    const { cache } = process;
    const version = await this.ask(process, () => {
      this.#value += 1;
      return this.#value;
    });
    if (this.#chance(0.5)) {
      await cache.delete('value');
      this.counts.delete += 1;
    } else {
      await cache.invalidateTags(['value']);
      this.counts.purge += 1;
    }
    this.#valueFloor = Math.max(this.#valueFloor, version);
    for (let i = 0; i < 3; i += 1) this.#begin((another) => this.#readValue(another));
  }

  #check(what: string, version: number, floor: number): void {
    if (version < floor) {
      this.violation ??= `${what}: version ${version}, purged for version ${floor}`;
    }
  }

  async #freeze(process: Process): Promise<void> {
    process.frozenUntil = this.#now + this.#random() * 3 * TRUST_MS;
  }

  async #evict(): Promise<void> {
    this.counts.evicted += 1;
    const { entries } = this.server;
    const keys = [...entries.keys()];
    if (this.#chance(0.2)) entries.clear();
    else if (keys.length > 0) entries.delete(keys[this.#below(keys.length)]!);
  }

  async #crash(process: Process): Promise<void> {
    this.counts.crash += 1;
    process.isDead = true;
    this.#start();
  }

  /** Mostly a short one. */
  #moment(): number {
    return this.#chance(0.1) ? this.#random() * 60 : this.#random() * 3;
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}

/** Runs so many worlds, one after the other as they share a clock, until one of them fails. */
export async function explore(
  runs: number,
  { seed = 1, fault }: { seed?: number; fault?: Fault } = {},
): Promise<Outcome> {
  const counts = {
    'near page': 0,
    'far page': 0,
    'purged page': 0,
    'refused page': 0,
    'place lost': 0,
    value: 0,
    purge: 0,
    delete: 0,
    evicted: 0,
    crash: 0,
    'lost message': 0,
  };
  const { now, after } = monotonicClock;
  let world: World;
  monotonicClock.now = () => world?.now ?? 0;
  monotonicClock.after = (ms, _isIdle, work) => world.at(world.now + ms, undefined, work);
  try {
    for (let next = seed; next < seed + runs; next += 1) {
      world = new World(next, fault, counts);
      while (world.step()) {
        // All that follows from the step is done by then.
        await new Promise((resolve) => setImmediate(resolve));
        if (world.violation !== undefined)
          return { seed: next, counts, violation: world.violation };
      }
    }
    return { seed: seed + runs - 1, counts, violation: undefined };
  } finally {
    Object.assign(monotonicClock, { now, after });
  }
}
