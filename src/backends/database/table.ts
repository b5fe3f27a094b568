import type { QueryResult, RawBuilder } from 'kysely';
import { MAGIC } from '../../cache/envelope';
import { CacheUnavailableError, CacheValueError, InvalidCacheBackendError } from '../../errors';
import type { OpenDatabase } from './database';
import { type Instant, toUtcText } from './instants';
import { loadKysely } from './kysely-package';
import { faultOf, isDeadlock } from './sql-errors';

/** An entry as it is stored. */
export interface Row {
  readonly key: string;
  readonly value: Buffer;
  readonly expiresAt: Instant;
}

/** An entry as it was found. */
export interface FoundRow {
  readonly key: string;
  readonly value: Buffer;
  readonly isExpired: boolean;
}

/** Rows and keys of one statement at most, for the databases limit its parameters. */
export const MAX_ROWS = 1000;

/** Times that a statement is sent which each time is the one to give up in a deadlock. */
const MAX_ATTEMPTS = 4;

/**
 * The statements on one table, each a method. Instants are the caller's, so that one clock decides:
 * that of the process, as on all other backends, and for leases that of the database. An entry lives
 * up to and including the instant of its expiry.
 */
export abstract class CacheTable {
  protected readonly sql = loadKysely().sql;
  protected readonly id: RawBuilder<unknown>;
  protected readonly keyColumn = this.sql.id('cache_key');
  protected readonly valueColumn = this.sql.id('value');
  protected readonly expiresColumn = this.sql.id('expires');

  constructor(
    readonly database: OpenDatabase,
    /** One identifier, dots and all. */
    readonly name: string,
  ) {
    this.id = this.sql.id(name);
  }

  /** Stores rows, whatever was there. No two may have the same key. */
  abstract upsert(rows: readonly Row[]): Promise<void>;

  /** Stores a row unless a live one has its key. @returns whether it did */
  abstract add(row: Row, now: Instant): Promise<boolean>;

  /**
   * Gives a live row a new expiry.
   *
   * @param isPlain - Whether it must not hold an envelope.
   * @returns whether there was one
   */
  abstract touch(key: string, expiresAt: number, now: number, isPlain: boolean): Promise<boolean>;

  /**
   * Adds to the integer of a live row.
   *
   * @returns the sum; `undefined` if there is no such row, it holds no integer, or the sum is none
   *   that is safe
   */
  abstract increment(
    key: string,
    delta: number,
    expiresAt: number,
    now: number,
  ): Promise<number | undefined>;

  async find(keys: readonly string[], now: Instant): Promise<FoundRow[]> {
    const { sql } = this;
    const { rows } = await this.run<{
      cache_key: unknown;
      value: unknown;
      is_expired: unknown;
    }>(sql`
      select ${this.keyColumn}, ${this.valueColumn},
        ${this.expiresColumn} < ${this.instant(now)} as ${sql.id('is_expired')}
      from ${this.id} where ${this.keyColumn} in (${this.keyList(keys)})`);
    return rows.map((row) => ({
      key: this.readKey(row.cache_key),
      value: asBuffer(row.value),
      isExpired: Boolean(row.is_expired),
    }));
  }

  /** Where a live value begins; `undefined` if there is none. */
  async startOf(
    key: string,
    now: number,
    length: number = MAGIC.length,
  ): Promise<Buffer | undefined> {
    const { sql } = this;
    const { rows } = await this.run<{ start: unknown }>(sql`
      select ${this.firstBytes(length)} as ${sql.id('start')} from ${this.id}
      where ${this.keyColumn} = ${this.key(key)} and ${this.expiresColumn} >= ${this.instant(now)}`);
    const [row] = rows;
    return row === undefined ? undefined : asBuffer(row.start);
  }

  /**
   * Replaces a live row if it still holds `before`.
   *
   * @param isStart - Whether it is enough that its value begins so.
   * @returns whether it did
   */
  async swap(row: Row, before: Buffer, now: Instant, isStart = false): Promise<boolean> {
    const result = await this.run(this.sql`
      update ${this.id}
      set ${this.valueColumn} = ${row.value}, ${this.expiresColumn} = ${this.instant(row.expiresAt)}
      where ${this.keyColumn} = ${this.key(row.key)} and ${this.holds(before, isStart)}
        and ${this.expiresColumn} >= ${this.instant(now)}`);
    return affected(result) > 0;
  }

  delete(keys: readonly string[]): Promise<number> {
    return this.deleteWhere(this.sql`${this.keyColumn} in (${this.keyList(keys)})`);
  }

  /** Removes a live row. @param isPlain - As in {@link touch}. @returns whether there was one */
  async deleteLive(key: string, now: number, isPlain: boolean): Promise<boolean> {
    const result = await this.run(this.sql`
      delete from ${this.id}
      where ${this.keyColumn} = ${this.key(key)} and ${this.expiresColumn} >= ${this.instant(now)}
        ${this.andPlain(isPlain)}`);
    return affected(result) > 0;
  }

  /** Removes those of these rows that are expired: meanwhile one may have been stored anew. */
  async deleteExpiredOf(keys: readonly string[], now: number): Promise<void> {
    await this.deleteWhere(this.sql`${this.keyColumn} in (${this.keyList(keys)})
      and ${this.expiresColumn} < ${this.instant(now)}`);
  }

  deleteExpired(now: number): Promise<number> {
    return this.deleteWhere(this.sql`${this.expiresColumn} < ${this.instant(now)}`);
  }

  /** Removes a row if it still holds `value`, or begins so. @returns whether it did */
  async deleteIf(key: string, value: Buffer, isStart = false): Promise<boolean> {
    const result = await this.run(this.sql`
      delete from ${this.id}
      where ${this.keyColumn} = ${this.key(key)} and ${this.holds(value, isStart)}`);
    return affected(result) > 0;
  }

  /** Removes all rows. @returns how many */
  async clear(): Promise<number> {
    return affected(await this.run(this.sql`delete from ${this.id}`));
  }

  async count(): Promise<number> {
    const { rows } = await this.run<{ n: unknown }>(
      this.sql`select count(*) as ${this.sql.id('n')} from ${this.id} where ${this.#isEntry}`,
    );
    return Number(rows[0]?.n);
  }

  /**
   * Removes the rows before the one at `offset` in the order of keys.
   *
   * @param isOfAll - Whether the counters of tags count, too.
   * @returns how many; `0` if there are no more than `offset`
   */
  async deleteLowest(offset: number, isOfAll = false): Promise<number> {
    const { sql } = this;
    const isMeant = isOfAll ? sql`1 = 1` : this.#isEntry;
    const { rows } = await this.run<{ cache_key: unknown }>(sql`
      select ${this.keyColumn} from ${this.id} where ${isMeant}
      order by ${this.keyColumn} limit 1 offset ${sql.lit(offset)}`);
    const boundary = rows[0];
    if (boundary === undefined) return 0;
    const key = this.readKey(boundary.cache_key);
    return this.deleteWhere(sql`${this.keyColumn} < ${this.key(key)} and ${isMeant}`);
  }

  /** Counters of tags are not culled: that would make all the entries that are left invalid. */
  get #isEntry(): RawBuilder<unknown> {
    return this.sql`${this.keyColumn} not like ${this.key('%cachewright.tag.%')}`;
  }

  /** Whether the database answers, whatever is in it. */
  async ping(): Promise<void> {
    await this.run(this.sql`select 1`);
  }

  /** Removes any number of rows. @returns how many */
  protected async deleteWhere(condition: RawBuilder<unknown>): Promise<number> {
    return affected(await this.run(this.sql`delete from ${this.id} where ${condition}`));
  }

  protected async run<R>(query: RawBuilder<unknown>): Promise<QueryResult<R>> {
    const { kysely } = this.database;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return (await query.execute(kysely)) as QueryResult<R>;
      } catch (error) {
        // What went before in a transaction may have to be done again, too.
        const isFinal = kysely.isTransaction || attempt === MAX_ATTEMPTS;
        if (isFinal || !isDeadlock(Object(error))) throw this.explain(error);
      }
    }
  }

  protected holds(value: Buffer, isStart: boolean): RawBuilder<unknown> {
    const { sql } = this;
    return isStart
      ? sql`${this.firstBytes(value.length)} = ${value}`
      : sql`${this.valueColumn} = ${value}`;
  }

  protected andPlain(isPlain: boolean): RawBuilder<unknown> {
    const { sql } = this;
    return isPlain ? sql`and ${this.firstBytes(MAGIC.length)} <> ${MAGIC}` : sql``;
  }

  protected firstBytes(length: number): RawBuilder<unknown> {
    return this.sql`substr(${this.valueColumn}, 1, ${this.sql.lit(length)})`;
  }

  /** A key as a parameter. */
  protected key(key: string): unknown {
    return key;
  }

  protected readKey(column: unknown): string {
    return column as string;
  }

  /** An instant as a parameter, or as what the server makes of its own clock. */
  protected instant(at: Instant): unknown {
    return typeof at === 'number' ? toUtcText(at) : this.serverInstant(at.afterMs);
  }

  protected abstract serverInstant(afterMs: number): RawBuilder<unknown>;

  /** Filled up to a power of two, so that a server sees few statements that differ. */
  protected keyList(keys: readonly string[]): RawBuilder<unknown> {
    const list = keys.map((key) => this.key(key));
    const length = 2 ** Math.ceil(Math.log2(keys.length));
    while (list.length < length) list.push(list[0]);
    return this.sql.join(list);
  }

  protected rowList(rows: readonly Row[]): RawBuilder<unknown> {
    const { sql } = this;
    return sql.join(
      rows.map((row) => sql`(${this.key(row.key)}, ${row.value}, ${this.instant(row.expiresAt)})`),
    );
  }

  protected get columns(): RawBuilder<unknown> {
    return this.sql`${this.keyColumn}, ${this.valueColumn}, ${this.expiresColumn}`;
  }

  /** What callers get to see of a driver's error. */
  protected explain(error: unknown): unknown {
    const { vendor, title } = this.database;
    const reason = error instanceof Error ? error.message || String(error) : String(error);
    const cause = { cause: error };
    switch (faultOf(vendor, error)) {
      case 'missing-table':
        return new InvalidCacheBackendError(
          `${title} has no table "${this.name}". Create it: npx cachewright createcachetable (${reason})`,
          undefined,
          cause,
        );
      case 'not-allowed':
        return new InvalidCacheBackendError(
          `${title} does not let table "${this.name}" be used as a cache: ${reason}`,
          undefined,
          cause,
        );
      case 'too-large':
        return new CacheValueError(
          `${title} takes no value as large as this: ${reason}. Raise its limit (max_allowed_packet of MySQL and MariaDB), or store less.`,
          undefined,
          cause,
        );
      case 'unavailable':
        if (error instanceof CacheUnavailableError) return error;
        return new CacheUnavailableError(`${title} cannot be used: ${reason}`, 'refused', cause);
      case 'refused':
        return error;
    }
  }
}

/** Rows that a statement changed. */
export function affected(result: QueryResult<unknown>): number {
  return Number(result.numAffectedRows ?? 0);
}

function asBuffer(column: unknown): Buffer {
  if (Buffer.isBuffer(column)) return column;
  if (column instanceof Uint8Array) {
    return Buffer.from(column.buffer, column.byteOffset, column.byteLength);
  }
  // Not by its class: libsql makes it with a constructor of its own.
  if (Object.prototype.toString.call(column) === '[object ArrayBuffer]') {
    return Buffer.from(column as ArrayBuffer);
  }
  throw new TypeError(`The column "value" holds ${typeof column}, not bytes.`);
}
