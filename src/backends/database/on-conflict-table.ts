import type { Instant } from './instants';
import { affected, CacheTable, type Row } from './table';

/** The statements where `ON CONFLICT` is known: PostgreSQL and SQLite. */
export abstract class OnConflictTable extends CacheTable {
  override async upsert(rows: readonly Row[]): Promise<void> {
    await this.run(this.sql`
      insert into ${this.id} (${this.columns}) values ${this.rowList(rows)}
      on conflict (${this.keyColumn}) do update set ${this.replacement}`);
  }

  override async add(row: Row, now: Instant): Promise<boolean> {
    const result = await this.run(this.sql`
      insert into ${this.id} (${this.columns}) values ${this.rowList([row])}
      on conflict (${this.keyColumn}) do update set ${this.replacement}
      where ${this.id}.${this.expiresColumn} < ${this.instant(now)}`);
    return affected(result) > 0;
  }

  override async touch(
    key: string,
    expiresAt: number,
    now: number,
    isPlain: boolean,
  ): Promise<boolean> {
    const result = await this.run(this.sql`
      update ${this.id} set ${this.expiresColumn} = ${this.instant(expiresAt)}
      where ${this.keyColumn} = ${this.key(key)} and ${this.expiresColumn} >= ${this.instant(now)}
        ${this.andPlain(isPlain)}`);
    return affected(result) > 0;
  }

  protected get replacement() {
    const { sql } = this;
    return sql`${this.valueColumn} = excluded.${this.valueColumn},
      ${this.expiresColumn} = excluded.${this.expiresColumn}`;
  }
}
