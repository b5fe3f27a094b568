import { setTimeout as delay } from 'node:timers/promises';
import type { QueryResult, RawBuilder } from 'kysely';
import type { OpenDatabase } from './database';
import { OnConflictTable } from './on-conflict-table';
import { isBusy } from './sql-errors';

/** The statements as SQLite takes them. */
export class SqliteTable extends OnConflictTable {
  readonly #patienceMs: number;

  /** @param patienceMs - For how long a statement is tried again while another connection writes. */
  constructor(database: OpenDatabase, name: string, patienceMs: number) {
    super(database, name);
    this.#patienceMs = patienceMs;
  }

  override async increment(key: string, delta: number, expiresAt: number, now: number) {
    const { sql, valueColumn } = this;
    const text = sql`cast(${valueColumn} as text)`;
    const integer = sql`cast(${text} as integer)`;
    const sum = sql`(${integer} + cast(${String(delta)} as integer))`;
    const { rows } = await this.run<{ sum: string }>(sql`
      update ${this.id}
      set ${valueColumn} = cast(cast(${sum} as text) as blob),
        ${this.expiresColumn} = ${this.instant(expiresAt)}
      where ${this.keyColumn} = ${key} and ${this.expiresColumn} >= ${this.instant(now)}
        and length(${valueColumn}) <= 17 and cast(${integer} as text) = ${text}
        and abs${sum} <= ${sql.lit(Number.MAX_SAFE_INTEGER)}
      returning ${text} as ${sql.id('sum')}`);
    return rows[0] === undefined ? undefined : Number(rows[0].sum);
  }

  protected override serverInstant(afterMs: number) {
    const { sql } = this;
    return sql`strftime('%Y-%m-%d %H:%M:%f', 'now', ${sql.lit(`${afterMs / 1000} seconds`)})`;
  }

  /** Waits for other writers here: SQLite itself would block the process. */
  protected override async run<R>(query: RawBuilder<unknown>): Promise<QueryResult<R>> {
    const startedAt = performance.now();
    for (;;) {
      try {
        return await super.run<R>(query);
      } catch (error) {
        if (!isBusy(error as object) || performance.now() - startedAt > this.#patienceMs) {
          throw error;
        }
        // Often: another process that writes on and on leaves but short gaps.
        await delay(1 + Math.random());
      }
    }
  }
}
