import { randomUUID } from 'node:crypto';
import type { BusListener, MessageBus } from '../../cache/message-bus';
import { CacheUnavailableError } from '../../errors';
import { isNames, Ledger, type Member, type Names } from './ledger';
import type { Register } from './register';

/** Told of what was changed, by this process or others. */
export interface Follower {
  /** What has these names is not to be used any more. */
  onChange(names: readonly string[]): void;
  /** Nothing is. */
  onLoss(): void;
  /** Nobody has asked for long: it may as well be closed. */
  onIdle(): void;
}

/** Time that never goes back, in milliseconds. */
export interface TierClock {
  now(): number;
  /**
   * Calls `work` after so long.
   *
   * @param isIdle - Whether the process need not live for it.
   * @returns what calls it off
   */
  after(ms: number, isIdle: boolean, work: () => void): () => void;
}

/** What {@link Coherence} works with. */
export interface CoherencePorts {
  readonly register: Register;
  /** `undefined`: others are not told, and look for themselves. */
  readonly bus: MessageBus | undefined;
  /** Unlike that of other caches that the bus carries messages of. */
  readonly channel: string;
  readonly clock: TierClock;
  /** How long a look into the ledger is good for. The same in all processes. */
  readonly trustMs: number;
  readonly follower: Follower;
}

/** A change that stands in the ledger. */
export interface Announced {
  /** Until no process uses any more what was changed. */
  readonly isSeen: Promise<void>;
}

/** How far the ledger was followed. */
interface Followed {
  readonly incarnation: string;
  seq: number;
  /** Id of the change by that number. */
  last: string;
  readonly knownSince: number;
}

/** Those that wait to be written into the ledger together, or for a look into it. */
interface Round {
  readonly names: Set<string>;
  isOfAll: boolean;
  isChange: boolean;
  readonly done: Promise<Announced>;
}

/** Where a change stands in the ledger, as a message has it. */
interface Told {
  readonly incarnation: unknown;
  readonly seq: number;
  /** Id of the change before. */
  readonly before: unknown;
}

/** A wait for those who must have heard of a change. */
interface Vigil {
  /** Id of the change. */
  readonly change: string;
  /** `undefined`: nobody knows who they are. */
  readonly missing: Set<string> | undefined;
  end(): void;
}

/** How many looks into the ledger one trust lasts for: two may fail. */
const LOOKS_PER_TRUST = 3;

/** Looks that nobody made use of, after which nobody seems to be there. */
const MAX_IDLE_LOOKS = 30;

/** Attempts to write into the ledger, which others write to at the same time. */
const MAX_ATTEMPTS = 50;

/** Many who write at once need room to get out of each other's way. */
const LONGEST_PAUSE_MS = 200;

/** Clocks of several machines do not run at quite the same speed. */
const WAIT_FACTOR = 1.05;
const WAIT_MARGIN_MS = 20;

/**
 * Keeps a local tier true. What a process reads from the shared cache it may use as long as it
 * trusts itself, and it trusts itself for a while (`trustMs`) from the moment at which it began to
 * look into the ledger and found itself listed there, and no change that it has not followed.
 *
 * Who changes something writes it to the shared cache first, then into the ledger, and waits until
 * each process that is listed there has said that it follows; or until `trustMs` have passed, for
 * by then whoever has not looked again has ceased to trust itself. So no message must arrive, and
 * no clocks be compared: messages that are lost cost whoever waits some time, and no reader the
 * truth.
 *
 * - A ledger that was lost, or set back, begins anew: everybody drops everything, and until all who
 *   were listed in the old one must have looked, whoever changes something waits for the whole time.
 *   Whose connection broke drops everything, too: that it was set back may not show any more.
 * - Who was waited for in vain is marked. With its next look it takes the mark away; if it has not
 *   looked for as long as it may trust itself, it is taken off the list, and nobody waits for it.
 */
export class Coherence {
  readonly #ports: CoherencePorts;
  readonly #id = randomUUID();
  readonly #vigils = new Set<Vigil>();
  /** When each mark was first seen. */
  readonly #marksSeenAt = new Map<string, number>();
  /** What was followed so far; `undefined` before the first look. */
  #followed: Followed | undefined;
  #trustedUntil = Number.NEGATIVE_INFINITY;
  /** Until when the ledger may lack somebody. */
  #uncertainUntil = Number.NEGATIVE_INFINITY;
  /** Whether the ledger may have been set back, and be as far on again by now with other changes. */
  #isInDoubt = false;
  #idleLooks = 0;
  #isMember = false;
  #isClosed = false;
  #upcoming: Round | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #listening: Promise<void> | undefined;
  #stopLooking: () => void = () => {};

  constructor(ports: CoherencePorts) {
    this.#ports = ports;
  }

  /** Whether what was followed until now is all there was that anybody counts on. */
  get isTrusted(): boolean {
    this.#idleLooks = 0;
    return this.#ports.clock.now() < this.#trustedUntil;
  }

  /** Whether what is read from now on may be kept: changes of it will be followed. */
  get isFollowing(): boolean {
    return this.#followed !== undefined;
  }

  /** How long each change waits where no message tells others of it; `0` where messages do. */
  get untoldWaitMs(): number {
    const { bus, trustMs } = this.#ports;
    return bus === undefined ? waitFor(trustMs) : 0;
  }

  /** Has this process listed, and looks again and again, until it is closed. */
  join(): void {
    if (this.#isMember) return;
    this.#isMember = true;
    void this.#listen();
    void this.#lookOnAndOn();
  }

  /**
   * Tells all processes of what was changed. Fulfilled once it stands in the ledger.
   *
   * @throws {@link CacheUnavailableError} If the ledger cannot be written: others may never know.
   */
  async announce(names: Names): Promise<Announced> {
    this.#idleLooks = 0;
    // Who answers before we hear would be waited for in vain.
    await this.#listen();
    return this.#join(names);
  }

  /** Ceases to follow, and has this process taken off the list. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#trustedUntil = Number.NEGATIVE_INFINITY;
    const wasMember = this.#isMember;
    this.#isMember = false;
    this.#stopLooking();
    const leave = (ledger: Ledger) => ledger.without(this.#id);
    // If it cannot be reached, others find out that we do not answer.
    if (wasMember) await this.#inTurn(() => this.#write(leave)).catch(() => {});
    await this.#tail;
    await this.#ports.bus?.close();
  }

  async #lookOnAndOn(): Promise<void> {
    // What fails is tried again; meanwhile trust runs out.
    await this.#join(undefined).catch(() => {});
    if (this.#isClosed) return;
    const { clock, trustMs, follower } = this.#ports;
    this.#idleLooks += 1;
    if (this.#idleLooks > MAX_IDLE_LOOKS) {
      follower.onIdle();
      return;
    }
    const lookAgain = () => void this.#lookOnAndOn();
    this.#stopLooking = clock.after(trustMs / LOOKS_PER_TRUST, true, lookAgain);
  }

  /** Does `work` once all that was begun before is done. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => {});
    return done;
  }

  /** @param names - `undefined`: only to look. */
  #join(names: Names | undefined): Promise<Announced> {
    let round = this.#upcoming;
    if (round === undefined) {
      const made: Round = {
        names: new Set(),
        isOfAll: false,
        isChange: false,
        done: this.#inTurn(() => {
          this.#upcoming = undefined;
          return this.#do(made);
        }),
      };
      this.#upcoming = made;
      round = made;
    }
    if (names === 'all') round.isOfAll = true;
    else for (const name of names ?? []) round.names.add(name);
    round.isChange ||= names !== undefined;
    return round.done;
  }

  async #do({ names, isOfAll, isChange }: Round): Promise<Announced> {
    if (!isChange) {
      await this.#write((ledger) => ledger);
      return { isSeen: Promise.resolve() };
    }
    const all: Names = isOfAll ? 'all' : [...names];
    let before = '';
    const ledger = await this.#write((found) => {
      before = found.last;
      return found.changed(this.#id, all);
    });
    return { isSeen: this.#untilSeen(ledger, before, all) };
  }

  /** Looks into the ledger, changes it, and follows what it tells. */
  async #write(change: (ledger: Ledger) => Ledger): Promise<Ledger> {
    const { register, clock } = this.#ports;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const startedAt = clock.now();
      const seqBefore = this.#followed?.seq ?? 0;
      const text = await register.read();
      const found = this.#judge(text, seqBefore);
      const next = change(this.#mend(found ?? Ledger.begin()));
      if (!register.isAtomic && (found === undefined || next.seq !== found.seq)) {
        // Two who count at once may come to the same. A new one is unlike all others.
        const anew = Ledger.begin();
        await register.swap(text, anew.text);
        this.#follow(anew);
        return anew;
      }
      const nextText = next.text;
      if (!register.isAtomic || nextText === text) {
        this.#follow(next);
        this.#trust(startedAt);
        return next;
      }
      const writtenAt = clock.now();
      if (await register.swap(text, nextText)) {
        this.#follow(next);
        this.#trust(writtenAt);
        return next;
      }
      const pauseMs = Math.random() * Math.min(2 ** attempt, LONGEST_PAUSE_MS);
      await new Promise<void>((resolve) => void clock.after(pauseMs, false, resolve));
    }
    throw new CacheUnavailableError(
      `The ledger of the local tiers was written to by others ${MAX_ATTEMPTS} times in a row.`,
      'overload',
    );
  }

  /** The ledger of this text, unless it is none, or one of the past. */
  #judge(text: string | undefined, seqBefore: number): Ledger | undefined {
    const ledger = text === undefined ? undefined : Ledger.parse(text);
    const isSame = ledger?.incarnation === this.#followed?.incarnation;
    if (!isSame || ledger === undefined) return ledger;
    const { seq, last } = this.#followed!;
    const isSetBack =
      ledger.seq < seqBefore || (seq <= ledger.seq && ledger.contradicts(seq, last));
    return isSetBack ? undefined : ledger;
  }

  /** The ledger with all that is to be put right on occasion. */
  #mend(ledger: Ledger): Ledger {
    const { clock, trustMs } = this.#ports;
    const now = clock.now();
    let next = ledger;
    const own = next.members.get(this.#id);
    if (this.#isMember && (own === undefined || own.mark !== undefined)) {
      next = next.withMember(this.#id, { trustMs });
    }
    const { incarnation, knownSince } = this.#followed ?? {};
    if (!next.isSettled && incarnation === next.incarnation) {
      const waitMs = waitFor(next.longestTrustMs(trustMs));
      if (now >= knownSince! + waitMs) next = next.settled();
    }
    for (const [id, member] of next.members) {
      if (id !== this.#id && this.#isGone(member, now)) next = next.without(id);
    }
    return next;
  }

  #isGone({ mark, trustMs }: Member, now: number): boolean {
    const seenAt = mark === undefined ? undefined : this.#marksSeenAt.get(mark);
    return seenAt !== undefined && now >= seenAt + waitFor(trustMs);
  }

  #follow(ledger: Ledger): void {
    const { clock, follower } = this.#ports;
    const now = clock.now();
    const { incarnation, seq, last, members } = ledger;
    const marks = new Set([...members.values()].flatMap(({ mark }) => mark ?? []));
    for (const mark of this.#marksSeenAt.keys()) {
      if (!marks.has(mark)) this.#marksSeenAt.delete(mark);
    }
    for (const mark of marks) {
      if (!this.#marksSeenAt.has(mark)) this.#marksSeenAt.set(mark, now);
    }
    if (this.#followed?.incarnation !== incarnation || this.#isInDoubt) {
      this.#isInDoubt = false;
      this.#followed = { incarnation, seq, last, knownSince: now };
      follower.onLoss();
      return;
    }
    const from = this.#followed.seq;
    // Messages may have been faster.
    if (seq <= from) return;
    const changes = ledger.changesSince(from);
    this.#followed.seq = seq;
    this.#followed.last = last;
    if (changes === undefined) {
      follower.onLoss();
      return;
    }
    for (const { id, by, names } of changes) {
      this.#drop(names);
      if (by !== this.#id) this.#confirm(by, id);
    }
  }

  /** @param since - When the look began that has found us listed, or has listed us. */
  #trust(since: number): void {
    if (this.#isMember && !this.#isClosed) this.#trustedUntil = since + this.#ports.trustMs;
  }

  #distrust(): void {
    this.#trustedUntil = Number.NEGATIVE_INFINITY;
    if (this.#isMember) void this.#join(undefined).catch(() => {});
  }

  /** Perhaps it is another server by now, whose ledger lacks what was written last. */
  #onGap(): void {
    const { clock, trustMs } = this.#ports;
    this.#uncertainUntil = clock.now() + waitFor(trustMs);
    this.#isInDoubt = true;
    this.#distrust();
  }

  #drop(names: Names): void {
    if (names === 'all') this.#ports.follower.onLoss();
    else this.#ports.follower.onChange(names);
  }

  /** Until all who must hear of the ledger's last change have, or trust themselves no more. */
  async #untilSeen(ledger: Ledger, before: string, names: Names): Promise<void> {
    const { register, bus, clock, trustMs } = this.#ports;
    const { last, isSettled, members } = ledger;
    const isCertain = register.isAtomic && isSettled && clock.now() >= this.#uncertainUntil;
    const missing = new Set(members.keys());
    missing.delete(this.#id);
    if (isCertain && missing.size === 0) return;
    const waitMs = waitFor(ledger.longestTrustMs(trustMs));
    // Others find out for themselves, as they look.
    if (bus !== undefined) void this.#tell(bus, ledger, before, names);
    await new Promise<void>((resolve) => {
      const vigil: Vigil = {
        change: last,
        missing: isCertain ? missing : undefined,
        end: () => {
          stopWaiting();
          this.#vigils.delete(vigil);
          resolve();
        },
      };
      const stopWaiting = clock.after(waitMs, false, vigil.end);
      this.#vigils.add(vigil);
    });
    // To write the mark would open again what was closed.
    if (isCertain && bus !== undefined && missing.size > 0 && !this.#isClosed) {
      await this.#inTurn(() => this.#mark(missing)).catch(() => {});
    }
  }

  /** Marks those who were waited for in vain, so that they can be told from those who are gone. */
  #mark(silent: ReadonlySet<string>): Promise<Ledger> {
    return this.#write((ledger) => {
      let next = ledger;
      for (const [id, { trustMs, mark }] of ledger.members) {
        const isNew = silent.has(id) && mark === undefined;
        if (isNew) next = next.withMember(id, { trustMs, mark: randomUUID() });
      }
      return next;
    });
  }

  /** Until messages are heard, or that takes too long: without them things are only slow. */
  #listen(): Promise<void> {
    const { bus, channel, clock, trustMs } = this.#ports;
    if (bus === undefined) return Promise.resolve();
    this.#listening ??= new Promise<void>((resolve) => {
      const listener: BusListener = {
        onMessage: (text) => this.#onMessage(text),
        onGap: () => this.#onGap(),
      };
      const stopWaiting = clock.after(trustMs, false, resolve);
      const listens = () => {
        stopWaiting();
        resolve();
      };
      const failed = () => {
        // Where it is not allowed it would fail with each change.
        const tryAgain = () => {
          this.#listening = undefined;
        };
        clock.after(trustMs, true, tryAgain);
        listens();
      };
      bus.listen([channel, this.#channelOf(this.#id)], listener).then(listens, failed);
    });
    return this.#listening;
  }

  async #tell(
    bus: MessageBus,
    { incarnation, seq, last }: Ledger,
    before: string,
    names: Names,
  ): Promise<void> {
    const head = ['change', this.#id, last, incarnation, seq, before];
    const text = JSON.stringify([...head, names]);
    // Without the names it is known that there is something in the ledger to look for.
    const isLong = Buffer.byteLength(text) > bus.maxBytes;
    const short = JSON.stringify([...head, null]);
    await bus.say(this.#ports.channel, isLong ? short : text).catch(() => {});
  }

  #confirm(to: string, change: string): void {
    const { bus } = this.#ports;
    const text = JSON.stringify(['seen', this.#id, change]);
    // If it is lost, the other waits until we trust ourselves no more, or have looked again.
    void bus?.say(this.#channelOf(to), text).catch(() => {});
  }

  #channelOf(id: string): string {
    return `${this.#ports.channel}_${id.slice(0, 8)}`;
  }

  #onMessage(text: string): void {
    if (this.#isClosed) return;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      message = undefined;
    }
    const [kind, by, change, incarnation, seq, before, names] = Array.isArray(message)
      ? message
      : [];
    if (typeof by !== 'string' || typeof change !== 'string') {
      this.#distrust();
    } else if (kind === 'seen') {
      this.#onSeen(change, by);
    } else if (by !== this.#id && this.#isMember) {
      const told = { incarnation, seq, before } as Told;
      this.#onChange(by, change, told, isNames(names) ? names : undefined);
    }
  }

  #onSeen(change: string, by: string): void {
    for (const vigil of this.#vigils) {
      if (vigil.change !== change) continue;
      vigil.missing?.delete(by);
      if (vigil.missing?.size === 0) vigil.end();
    }
  }

  #onChange(
    by: string,
    change: string,
    { incarnation, seq, before }: Told,
    names: Names | undefined,
  ): void {
    const followed = this.#followed;
    const isSame = followed?.incarnation === incarnation;
    const isNext = isSame && seq === followed!.seq + 1 && before === followed!.last;
    const isLate = isSame && seq <= followed!.seq;
    if (names === undefined || !(isNext || isLate)) {
      // Something was missed, or the ledger is another: it will tell.
      this.#distrust();
      return;
    }
    if (isNext) {
      followed!.seq = seq;
      followed!.last = change;
    }
    this.#drop(names);
    this.#confirm(by, change);
  }
}

/** How long to wait for somebody who trusts himself for so long. */
function waitFor(trustMs: number): number {
  return trustMs * WAIT_FACTOR + WAIT_MARGIN_MS;
}
