import type { Instant } from './instants';
import { affected, CacheTable, type Row } from './table';

/**
 * The statements as MySQL and MariaDB take them. Keys are bytes, as all collations for text either
 * ignore case or trailing spaces, or are not known to both.
 *
 * How many rows a statement changed depends on a flag of the connection (`FOUND_ROWS`), which is
 * the site's; so what a statement did is told by `last_insert_id(n)`, which the server hands on.
 */
export class MysqlTable extends CacheTable {
  override async upsert(rows: readonly Row[]): Promise<void> {
    await this.run(this.sql`
      insert into ${this.id} (${this.columns}) values ${this.rowList(rows)}
      on duplicate key update ${this.valueColumn} = values(${this.valueColumn}),
        ${this.expiresColumn} = values(${this.expiresColumn})`);
  }

  override async add(row: Row, now: Instant): Promise<boolean> {
    const { sql, valueColumn, expiresColumn } = this;
    const isExpired = sql`${expiresColumn} < ${this.instant(now)}`;
    // Assigned from left to right: the value while the expiry is still the old one.
    const { insertId } = await this.run(sql`
      insert into ${this.id} (${this.columns}) values ${this.rowList([row])}
      on duplicate key update
        ${valueColumn} = if(${isExpired}, values(${valueColumn}), ${valueColumn}),
        ${expiresColumn} = if(last_insert_id(if(${isExpired}, 2, 1)) = 2,
          values(${expiresColumn}), ${expiresColumn})`);
    return insertId !== 1n;
  }

  override async touch(
    key: string,
    expiresAt: number,
    now: number,
    isPlain: boolean,
  ): Promise<boolean> {
    const { insertId } = await this.run(this.sql`
      update ${this.id}
      set ${this.expiresColumn} = if(last_insert_id(1) = 1, ${this.instant(expiresAt)}, null)
      where ${this.keyColumn} = ${this.key(key)} and ${this.expiresColumn} >= ${this.instant(now)}
        ${this.andPlain(isPlain)}`);
    return insertId === 1n;
  }

  override async swap(row: Row, before: Buffer, now: Instant, isStart = false): Promise<boolean> {
    const { sql, keyColumn, valueColumn, expiresColumn } = this;
    const { insertId } = await this.run(sql`
      update ${this.id}
      set ${valueColumn} = ${row.value},
        ${expiresColumn} = if(last_insert_id(1) = 1, ${this.instant(row.expiresAt)}, null)
      where ${keyColumn} = ${this.key(row.key)} and ${this.holds(before, isStart)}
        and ${expiresColumn} >= ${this.instant(now)}`);
    return insertId === 1n;
  }

  override async increment(key: string, delta: number, expiresAt: number, now: number) {
    const { sql, valueColumn } = this;
    const text = sql`convert(${valueColumn} using latin1)`;
    const sum = sql`(cast(${text} as signed) + cast(${String(delta)} as signed))`;
    const result = await this.run(sql`
      update ${this.id}
      set ${valueColumn} = cast(cast(last_insert_id(${sum}) as signed) as char),
        ${this.expiresColumn} = ${this.instant(expiresAt)}
      where ${this.keyColumn} = ${this.key(key)} and ${this.expiresColumn} >= ${this.instant(now)}
        and case when length(${valueColumn}) <= 17 and ${text} regexp '^-?[0-9]+$'
          then abs${sum} <= ${sql.lit(Number.MAX_SAFE_INTEGER)} else false end`);
    if (affected(result) === 0) return undefined;
    return Number(BigInt.asIntN(64, result.insertId ?? 0n));
  }

  protected override serverInstant(afterMs: number) {
    return this.sql`utc_timestamp(3) + interval ${this.sql.lit(afterMs * 1000)} microsecond`;
  }

  protected override key(key: string): Buffer {
    return Buffer.from(key);
  }

  protected override readKey(column: unknown): string {
    return (column as Buffer).toString();
  }
}
