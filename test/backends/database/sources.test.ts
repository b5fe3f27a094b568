import { DatabaseCache, type DatabaseSource } from 'cachewright';
import Database from 'libsql';
import { createPool } from 'mysql2';
import { createPool as createPromisePool } from 'mysql2/promise';
import { Pool } from 'pg';
import { recognize } from '../../../src/backends/database/sources';
import { openSqlite } from '../../../src/backends/database/sqlite';
import { runScript } from '../../support/child';
import { tempDirectories } from '../../support/temp-directory';
import { createTableAt, describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';
import { watchedKysely } from '../../support/watched-kysely';

const makeDirectory = tempDirectories();

/** All that is asked of a database. */
async function exercise(cache: DatabaseCache): Promise<void> {
  await cache.set('set', { a: [1, 'two'] });
  expect(await cache.add('added', 1)).toBe(true);
  expect(await cache.add('added', 2)).toBe(false);
  expect(await cache.touch('added', 100)).toBe(true);
  expect(await cache.touch('added', 100)).toBe(true);
  expect(await cache.touch('absent', 100)).toBe(false);
  expect(await cache.incr('added', -4)).toBe(-3);
  expect(await cache.incr('added', 0.5)).toBe(-2.5);
  expect(await cache.setMany({ bytes: Buffer.from([0, 255, 39, 92]), none: null })).toEqual([]);
  expect(await cache.getMany(['set', 'added', 'bytes', 'none', 'absent'])).toEqual({
    set: { a: [1, 'two'] },
    added: -2.5,
    bytes: Buffer.from([0, 255, 39, 92]),
    none: null,
  });
  expect(await cache.hasKey('none')).toBe(true);
  expect(await cache.delete('set')).toBe(true);
  await cache.deleteMany(['added', 'none']);
  expect(await cache.getMany(['set', 'added', 'none'])).toEqual({});
  await cache.clear();
}

describeEachDatabase('A database that is handed in', (database) => {
  /** A source of each kind, whether it still works, and how to be rid of it. */
  interface HandedIn {
    readonly source: DatabaseSource;
    isOpen(): Promise<boolean>;
    end(): Promise<unknown>;
  }

  const FORMS: Record<string, () => HandedIn> = {
    postgres: {
      'a pool of pg': () => {
        const pool = new Pool({ connectionString: database.url });
        const isOpen = async () => (await pool.query('select 1')).rowCount === 1;
        return { source: pool, isOpen, end: () => pool.end() };
      },
    },
    mysql: {
      'a pool of mysql2': () => mysqlPool({}),
      // Then fewer rows count as changed.
      'a pool of mysql2 without FOUND_ROWS': () => mysqlPool({ flags: ['-FOUND_ROWS'] }),
      'a pool of mysql2/promise': () => {
        const pool = createPromisePool({ uri: database.url });
        const isOpen = async () => (await pool.query('select 1')).length === 2;
        return { source: pool, isOpen, end: () => pool.end() };
      },
    },
    sqlite: {
      'a database of libsql': () => {
        const handle = new Database(database.url.replace('sqlite:', ''));
        const isOpen = async () => handle.open;
        return { source: handle, isOpen, end: async () => handle.close() };
      },
      'a database of node:sqlite, by its methods': () => {
        const handle = new Database(database.url.replace('sqlite:', ''));
        const isOpen = async () => handle.open;
        return { source: likeNode(handle), isOpen, end: async () => handle.close() };
      },
    },
  }[database.kind];

  function mysqlPool(options: object): HandedIn {
    const pool = createPool({ uri: database.url, ...options });
    const isOpen = async () => (await pool.promise().query('select 1')).length === 2;
    return { source: pool, isOpen, end: () => pool.promise().end() };
  }

  const KYSELY = (): HandedIn => {
    const { kysely, query } = watchedKysely(database);
    const isOpen = async () => (await query('select 1')).length === 1;
    return { source: kysely, isOpen, end: () => kysely.destroy() };
  };

  test.each(Object.entries({ ...FORMS, 'a Kysely': KYSELY }))(
    '%s is used, and is open after close()',
    async (_name, open) => {
      const { source, isOpen, end } = open();
      const cache = new DatabaseCache(await database.createTable(), {
        options: { ...UNHURRIED, database: source },
      });
      await exercise(cache);
      await cache.close();
      expect(await isOpen()).toBe(true);
      await exercise(cache);
      await cache.close();
      await end();
    },
  );

  test('by its URL, it is opened, closed, and opened again', async () => {
    const cache = new DatabaseCache(await database.createTable(), {
      options: { ...UNHURRIED, database: new URL(database.url) },
    });
    await exercise(cache);
    await cache.close();
    await exercise(cache);
    await cache.close();
  });

  test('a cache that was closed does not keep the process alive, nor does one that is idle', async () => {
    const table = await database.createTable();
    const { stdout } = await runScript(`
      const cache = new cachewright.DatabaseCache(${JSON.stringify(table)}, {
        options: { ...${JSON.stringify(UNHURRIED)}, database: ${JSON.stringify(database.url)} },
      });
      (async () => {
        await cache.set('key', 'value');
        console.log(await cache.get('key'));
        await cache.close();
      })();`);
    expect(stdout).toBe('value\n');
  });

  test('caches that share a named database share its connections, until the last is closed', async () => {
    const [a, b] = [await database.createTable(), await database.createTable()];
    const { stdout } = await runScript(`
      const { configureDatabases, DatabaseCache } = cachewright;
      configureDatabases({ default: ${JSON.stringify(database.url)} });
      const a = new DatabaseCache(${JSON.stringify(a)}, { options: ${JSON.stringify(UNHURRIED)} });
      const b = new DatabaseCache(${JSON.stringify(b)}, { options: ${JSON.stringify(UNHURRIED)} });
      (async () => {
        await a.set('key', 'of a');
        await b.set('key', 'of b');
        await a.close();
        console.log(await b.get('key'));
        await b.close();
        console.log(await a.get('key'));
        await a.close();
      })();`);
    expect(stdout).toBe('of b\nof a\n');
  });
});

/** As `node:sqlite` does it, which not all Nodes have: parameters apart, and no `reader`. */
function likeNode(handle: InstanceType<typeof Database>) {
  return {
    prepare(sql: string) {
      const statement = handle.prepare(sql);
      return {
        columns: () => (statement.reader ? [{}] : []),
        all: (...parameters: unknown[]) =>
          statement.all(parameters).map((row) => withBytes(row as Record<string, unknown>)),
        run: (...parameters: unknown[]) => statement.run(parameters),
      };
    },
    exec: (sql: string) => handle.exec(sql),
    close: () => handle.close(),
    get isTransaction() {
      return handle.inTransaction;
    },
  };
}

function withBytes(row: Record<string, unknown>): unknown {
  const bytes = (value: unknown) =>
    Object.prototype.toString.call(value) === '[object ArrayBuffer]'
      ? new Uint8Array(value as ArrayBuffer)
      : value;
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, bytes(value)]));
}

test.each([
  ['postgres://u:p@host/db', 'postgres'],
  ['postgresql://host/db', 'postgres'],
  ['mysql://host/db', 'mysql'],
  ['mariadb://host/db', 'mysql'],
  ['MySQL://host/db', 'mysql'],
  ['sqlite:cache.db', 'sqlite'],
  ['sqlite::memory:', 'sqlite'],
  ['file:cache.db', 'sqlite'],
  ['file:///var/cache.db', 'sqlite'],
])('%s is a URL of %s', (url, vendor) => {
  expect(recognize(url)).toEqual({ kind: 'url', vendor, url });
});

test.each([['sqlite:PATH'], ['sqlite://PATH'], ['file:PATH'], ['file://PATH']])(
  'a file is found by %s',
  async (form) => {
    const path = `${makeDirectory()}/a cache.db`;
    const url = form.includes('file://') ? `file://${encodeURI(path)}` : form.replace('PATH', path);
    await createTableAt(url, 'cache');
    const handle = new Database(path);
    expect(handle.prepare("select name from sqlite_master where type = 'table'").all()).toEqual([
      { name: 'cache' },
    ]);
    handle.close();
  },
);

test('a database in memory is one for as long as it is open', async () => {
  const handle = openSqlite('sqlite::memory:');
  handle.exec('create table t (a int)');
  handle.close();
});

test.each([
  ['nothing', null],
  ['a number', 5],
  ['an empty object', {}],
  ['a URL of something else', 'redis://:secret@host/0'],
  ['a path', '/var/cache.db'],
])('%s is no database', (_name, source) => {
  expect(() => recognize(source)).toThrow(TypeError);
  expect(() => recognize(source)).not.toThrow(/secret/);
});

test('a Kysely of another kind of database is refused by name', () => {
  class MssqlAdapter {}
  const kysely = {
    isTransaction: false,
    getExecutor: () => ({ adapter: new MssqlAdapter() }),
    withoutPlugins: () => ({}),
  };
  expect(() => recognize(kysely)).toThrow(/MssqlAdapter/);
});

test.each([
  ['', /location is "".*name of the table/],
  [5, /location is 5/],
  ['a\0b', /name of the table/],
])('%j is no name of a table', (location, message) => {
  expect(() => new DatabaseCache(location as string)).toThrow(message);
});

test('a database that makes no sense is refused as the cache is made', () => {
  expect(() => new DatabaseCache('t', { options: { database: {} } })).toThrow(TypeError);
});

test.each([
  'postgres://site:s3cret/1@db.internal/site',
  'mysql://site:s3cret#1@db.internal/site',
  'mariadb://site:s3cret@db.internal:99999/site',
])(
  'a URL that cannot be read is refused as the cache is made, without its password',
  (database) => {
    const make = () => new DatabaseCache('t', { options: { database } });
    expect(make).toThrow(/Percent-encode/);
    expect(make).not.toThrow(/s3cret/);
  },
);

test('the host of a PostgreSQL may stand in the query of its URL', async () => {
  const url = 'postgres://site@/site?host=/nowhere';
  const cache = new DatabaseCache('t', { options: { database: url } });
  await expect(cache.get('key')).rejects.toMatchObject({
    code: 'ERR_CACHE_UNAVAILABLE',
    message: expect.stringContaining('/nowhere/.s.PGSQL.5432'),
  });
  await cache.close();
});
