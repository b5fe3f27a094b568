import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Database } from '../../src/backends/database/database';
import { createTable } from '../../src/backends/database/schema';
import { describeWithServer, sharedMariaDb, sharedPostgres } from './servers';
import { tempDirectories } from './temp-directory';

/** A database of the test file's own. */
export interface TestDatabase {
  readonly kind: 'postgres' | 'mysql' | 'sqlite';
  readonly url: string;
  /** Makes a cache table of this name, or of a new one. */
  createTable(name?: string): Promise<string>;
}

/** Makes a cache table by the very statements of the command. */
export async function createTableAt(url: string, name: string): Promise<string> {
  const database = new Database(url);
  await createTable(database.open(createTableAt), name);
  await database.release(createTableAt);
  return name;
}

/** Describes the same on PostgreSQL, MariaDB and SQLite, each in a database of its own. */
export function describeEachDatabase(name: string, body: (database: TestDatabase) => void): void {
  const describeOn = (
    kind: TestDatabase['kind'],
    open: () => Promise<{ url: string; drop(): Promise<void> }>,
  ) => {
    let opened: { url: string; drop(): Promise<void> };
    beforeAll(async () => {
      opened = await open();
    });
    body({
      kind,
      get url() {
        return opened.url;
      },
      createTable: (table = `cache ${randomBytes(4).toString('hex')}`) =>
        createTableAt(opened.url, table),
    });
    // After what the body registers: its connections are closed by then.
    afterAll(() => opened?.drop());
  };
  describeWithServer('postgres', `${name} on PostgreSQL`, () =>
    describeOn('postgres', sharedPostgres),
  );
  describeWithServer('mariadb', `${name} on MariaDB`, () => describeOn('mysql', sharedMariaDb));
  describe(`${name} on SQLite`, () => {
    const makeDirectory = tempDirectories();
    describeOn('sqlite', async () => ({
      url: `sqlite:${join(makeDirectory(), 'cache.db')}`,
      drop: async () => {},
    }));
  });
}
