import { setTimeout as delay } from 'node:timers/promises';
import type { QueryResult, RawBuilder } from 'kysely';
import { OnConflictTable } from './on-conflict-table';
import { isBusy } from './sql-errors';

/** Milliseconds for which a statement is tried again while another connection writes. */
const BUSY_MS = 1000;

/** The statements as SQLite takes them. */
export class SqliteTable extends OnConflictTable {
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
        if (!isBusy(error as object) || performance.now() - startedAt > BUSY_MS) throw error;
        await delay(1 + Math.random() * 10);
      }
    }
  }
}
