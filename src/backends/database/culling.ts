import type { CacheTable } from './table';

/**
 * Keeps a table near its limit without counting its rows each time, as that is what costs most on
 * a large one: after a count, so many writes go unchecked as the table has room for. Entries that
 * other processes store meanwhile may take it above the limit until the next count.
 */
export class Culling {
  readonly #maxEntries: number;
  readonly #cullFrequency: number;
  /** Writes that need no count, even if all of them bring new keys. */
  #unchecked = 0;
  #run: Promise<void> | undefined;

  constructor(maxEntries: number, cullFrequency: number) {
    this.#maxEntries = maxEntries;
    this.#cullFrequency = cullFrequency;
  }

  /** Whether there may be too many rows, so that {@link Culling.run} must come before `writes`. */
  isDue(writes: number): boolean {
    const isDue = this.#unchecked <= 0;
    this.#unchecked -= writes;
    return isDue;
  }

  /** Counts the rows, and removes some if there are too many; once for all who ask meanwhile. */
  run(table: CacheTable, writes: number): Promise<void> {
    this.#run ??= this.#cull(table, writes).finally(() => {
      this.#run = undefined;
    });
    return this.#run;
  }

  async #cull(table: CacheTable, writes: number): Promise<void> {
    const max = this.#maxEntries;
    let rows = await table.count();
    if (rows > max) {
      rows -= await table.deleteExpired(Date.now());
      if (rows > max) rows -= await this.#deleteSome(table, rows);
    }
    // A hundredth above the limit is near enough; a table that is full would else be counted at
    // each write.
    this.#unchecked = Math.max(max - rows + 1, Math.floor(max / 100)) - writes;
  }

  async #deleteSome(table: CacheTable, rows: number): Promise<number> {
    if (this.#cullFrequency === 0) {
      await table.clear();
      return rows;
    }
    return table.deleteLowest(Math.floor(rows / this.#cullFrequency));
  }
}
