import { randomUUID } from 'node:crypto';

/** What was changed: names of entries and tags, or `'all'`. */
export type Names = readonly string[] | 'all';

/** A process that keeps a local tier. */
export interface Member {
  /** Milliseconds for which it trusts its tier after it last looked into the ledger. */
  readonly trustMs: number;
  /** Set by one who waited for it in vain, and different each time; it goes with its next look. */
  readonly mark?: string;
}

/** One change: who made it, and of what. */
export interface Change {
  /** Unlike that of any other, also of one by the same number in a ledger that was set back. */
  readonly id: string;
  readonly by: string;
  readonly names: Names;
}

/** Changes of which the ledger tells what they were of. */
const MAX_LOGGED = 64;

/** Characters that the names in the ledger may take, and those of one change. */
const MAX_LOGGED_LENGTH = 16_384;
const MAX_NAMES_LENGTH = 4096;

/** Processes it has room for; more are no processes, but something gone wrong. */
const MAX_MEMBERS = 10_000;

const FORMAT = 2;

/** Characters of a change's id. */
const ID_LENGTH = 12;

/**
 * What the processes with a local tier have in common, as one entry of the shared cache: how many
 * changes there were, of what the last ones were, and who keeps a local tier and so must hear of
 * the next. Never changes; each change makes another.
 */
export class Ledger {
  private constructor(
    /** Unlike that of a ledger which was lost before this one was begun. */
    readonly incarnation: string,
    /** Number of the last change. */
    readonly seq: number,
    /**
     * Whether all who trust their tier are listed. Not so at first: the ledger before it may have
     * been lost, and who was listed there must look again.
     */
    readonly isSettled: boolean,
    readonly members: ReadonlyMap<string, Member>,
    /** The last changes, that of {@link Ledger.seq} at the end. */
    readonly log: readonly Change[],
    /** Id of the last change; `''` before there was one. */
    readonly last: string,
  ) {}

  static begin(): Ledger {
    return new Ledger(randomUUID(), 0, false, new Map(), [], '');
  }

  /** The ledger that was spelt so; `undefined` if it is none. */
  static parse(text: string): Ledger | undefined {
    try {
      const fields: unknown = JSON.parse(text);
      if (!Array.isArray(fields) || fields[0] !== FORMAT) return undefined;
      const [, incarnation, seq, isSettled, members, log, last] = fields as unknown[];
      if (typeof incarnation !== 'string' || !isCount(seq)) return undefined;
      if (typeof last !== 'string') return undefined;
      if (typeof isSettled !== 'boolean' || !Array.isArray(members)) return undefined;
      if (members.length > MAX_MEMBERS || !members.every(isMember)) return undefined;
      if (!Array.isArray(log) || log.length > seq || !log.every(isChange)) return undefined;
      return new Ledger(
        incarnation,
        seq,
        isSettled,
        new Map(members.map(([id, trustMs, mark]) => [id, mark ? { trustMs, mark } : { trustMs }])),
        log.map(([id, by, names]) => ({ id, by, names })),
        last,
      );
    } catch {
      return undefined;
    }
  }

  /** How it is stored: {@link Ledger.parse} reads it, and what is spelt alike is alike. */
  get text(): string {
    const members = [...this.members].map(([id, { trustMs, mark }]) => [id, trustMs, mark ?? '']);
    const log = this.log.map(({ id, by, names }) => [id, by, names]);
    const { incarnation, seq, isSettled, last } = this;
    return JSON.stringify([FORMAT, incarnation, seq, isSettled, members, log, last]);
  }

  /** The longest that anybody listed trusts its tier, or `leastMs`. */
  longestTrustMs(leastMs: number): number {
    return Math.max(leastMs, ...[...this.members.values()].map(({ trustMs }) => trustMs));
  }

  settled(): Ledger {
    return new Ledger(this.incarnation, this.seq, true, this.members, this.log, this.last);
  }

  withMember(id: string, member: Member): Ledger {
    return this.#with(new Map(this.members).set(id, member));
  }

  without(id: string): Ledger {
    const members = new Map(this.members);
    members.delete(id);
    return this.#with(members);
  }

  /** With one change more. */
  changed(by: string, names: Names): Ledger {
    const isLong = names !== 'all' && lengthOf(names) > MAX_NAMES_LENGTH;
    const id = randomUUID().slice(-ID_LENGTH);
    const change = { id, by, names: isLong ? 'all' : names } as const;
    const log: Change[] = [...this.log, change].slice(-MAX_LOGGED);
    let length = log.reduce((sum, change) => sum + lengthOf(change.names), 0);
    while (length > MAX_LOGGED_LENGTH) length -= lengthOf(log.shift()!.names);
    return new Ledger(this.incarnation, this.seq + 1, this.isSettled, this.members, log, id);
  }

  /** The changes after number `seq`; `undefined` if it does not tell of all of them. */
  changesSince(seq: number): readonly Change[] | undefined {
    const count = this.seq - seq;
    return count <= this.log.length ? this.log.slice(this.log.length - count) : undefined;
  }

  /**
   * Whether it tells of another change by this number than that of this id: it was set back since,
   * and has gone on.
   */
  contradicts(seq: number, id: string): boolean {
    if (seq === this.seq) return id !== this.last;
    const there = this.log[this.log.length - 1 - (this.seq - seq)];
    return there !== undefined && there.id !== id;
  }

  #with(members: ReadonlyMap<string, Member>): Ledger {
    return new Ledger(this.incarnation, this.seq, this.isSettled, members, this.log, this.last);
  }
}

/** Whether it is what a change can be of. */
export function isNames(value: unknown): value is Names {
  return (
    value === 'all' || (Array.isArray(value) && value.every((name) => typeof name === 'string'))
  );
}

function lengthOf(names: Names): number {
  return names === 'all' ? 0 : names.reduce((sum, name) => sum + name.length, 0);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isMember(value: unknown): value is [string, number, string] {
  if (!Array.isArray(value)) return false;
  const [id, trustMs, mark] = value as unknown[];
  const isTime = Number.isFinite(trustMs) && (trustMs as number) > 0;
  return typeof id === 'string' && isTime && typeof mark === 'string';
}

function isChange(value: unknown): value is [string, string, Names] {
  if (!Array.isArray(value)) return false;
  const [id, by, names] = value as unknown[];
  return typeof id === 'string' && typeof by === 'string' && isNames(names);
}
