import type { RawBuilder } from 'kysely';
import type { Instant } from './instants';
import { OnConflictTable } from './on-conflict-table';
import { affected } from './table';

/** The statements as PostgreSQL takes them. */
export class PostgresTable extends OnConflictTable {
  override async increment(key: string, delta: number, expiresAt: number, now: number) {
    const { sql, valueColumn } = this;
    const digits = sql`encode(${valueColumn}, 'escape')`;
    const sum = sql`(${digits}::numeric + ${String(delta)}::numeric)`;
    // CASE keeps the cast from what is no number: the parts of AND are computed in any order.
    const { rows } = await this.run<{ sum: string }>(sql`
      update ${this.id}
      set ${valueColumn} = decode(${sum}::text, 'escape'),
        ${this.expiresColumn} = ${this.instant(expiresAt)}
      where ${this.keyColumn} = ${key} and ${this.expiresColumn} >= ${this.instant(now)}
        and case when octet_length(${valueColumn}) <= 17 and ${digits} ~ '^-?[0-9]+$'
          then abs${sum} <= ${sql.lit(Number.MAX_SAFE_INTEGER)} else false end
      returning ${digits} as ${sql.id('sum')}`);
    return rows[0] === undefined ? undefined : Number(rows[0].sum);
  }

  /**
   * Locks the rows in the order of keys before it removes them, as `setMany` does: it would come to
   * them in any order, and two such calls would wait for each other in a circle.
   */
  protected override async deleteWhere(condition: RawBuilder<unknown>): Promise<number> {
    const { sql, id, keyColumn } = this;
    const result = await this.run(sql`
      delete from ${id} where ${keyColumn} = any(array(
        select ${keyColumn} from ${id} where ${condition}
        order by ${keyColumn} collate "C" for update))`);
    return affected(result);
  }

  /** With its offset, so that the session's time zone does not matter. */
  protected override instant(at: Instant): unknown {
    const instant = super.instant(at);
    return typeof instant === 'string' ? `${instant}+00` : instant;
  }

  /** Not that of the transaction's begin, which may be the site's, and long ago. */
  protected override serverInstant(afterMs: number) {
    return this.sql`clock_timestamp() + ${this.sql.lit(`${afterMs} ms`)}::interval`;
  }
}
