import type { Kysely } from 'kysely';
import { KeyQueue } from '../../cache/key-queue';
import { loadKysely } from './kysely-package';

/**
 * Lets a statement fail within a transaction of the site without taking the transaction with it,
 * as PostgreSQL would have it.
 */
export class Savepoints {
  readonly #kysely: Kysely<unknown>;
  /** There is one connection: what came between would be rolled back as well. */
  readonly #queue = new KeyQueue();

  constructor(kysely: Kysely<unknown>) {
    this.#kysely = kysely;
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return this.#queue.run('', async () => {
      await this.#execute('savepoint');
      try {
        const result = await work();
        await this.#execute('release savepoint');
        return result;
      } catch (error) {
        await this.#execute('rollback to savepoint');
        throw error;
      }
    });
  }

  async #execute(command: string): Promise<void> {
    const { sql } = loadKysely();
    await sql`${sql.raw(command)} ${sql.id('cachewright')}`.execute(this.#kysely);
  }
}
