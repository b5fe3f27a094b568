import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CacheSettings,
  configureCaches,
  configureDatabases,
  DatabaseCache,
  type DatabaseRouter,
} from 'cachewright';
import { run } from '../../src/cli/run';
import { tempDirectories } from '../support/temp-directory';
import { describeEachDatabase, type TestDatabase } from '../support/test-databases';
import { type WatchedKysely, watchedKysely } from '../support/watched-kysely';

const makeDirectory = tempDirectories();
let directory: string;

beforeEach(() => {
  directory = makeDirectory();
  // The site calls configureCaches() itself, here in the tests.
  writeFileSync(join(directory, 'cachewright.config.cjs'), '');
});
afterEach(() => {
  configureCaches({ default: {} });
  configureDatabases({});
});

/** What the command prints, and its exit code. */
async function command(...args: string[]) {
  let stdout = '';
  let stderr = '';
  const exitCode = await run({
    args: ['createcachetable', ...args],
    directory,
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
  });
  return { exitCode, stdout, stderr };
}

function databaseCaches(...tables: string[]): Record<string, CacheSettings> {
  const caches = tables.map((location, i) => [`c${i}`, { backend: 'database', location }] as const);
  return { default: {}, ...Object.fromEntries(caches) };
}

describeEachDatabase('createcachetable', (database) => {
  let watched: WatchedKysely;
  beforeAll(() => {
    watched = watchedKysely(database);
  });
  afterAll(() => watched.kysely.destroy());
  beforeEach(async () => {
    configureDatabases({ default: watched.kysely });
    for (const table of await tables()) await watched.query(`drop table ${quoted(table)}`);
    watched.statements.length = 0;
  });

  const quoted = (name: string) => (database.kind === 'mysql' ? `\`${name}\`` : `"${name}"`);

  async function tables(): Promise<string[]> {
    const text = {
      postgres: "select tablename as n from pg_tables where schemaname = 'public'",
      mysql:
        'select table_name as n from information_schema.tables where table_schema = database()',
      sqlite: "select name as n from sqlite_master where type = 'table'",
    }[database.kind];
    return (await watched.query<{ n: string }>(text)).map(({ n }) => n).sort();
  }

  test('without arguments it makes one table for each cache in a database (CLI-01)', async () => {
    configureCaches({
      ...databaseCaches('first table', 'order'),
      files: { backend: 'file', location: directory },
    });
    expect(await command()).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(await tables()).toEqual(['first table', 'order']);
    const cache = new DatabaseCache('first table');
    await cache.set('key', 'value');
    expect(await cache.get('key')).toBe('value');
  });

  test('a table that exists is left alone, and told of for each alias from verbosity 1 on (CLI-02)', async () => {
    configureCaches(databaseCaches('my table', 'my table'));
    await command('--verbosity', '0');
    const cache = new DatabaseCache('my table');
    await cache.set('key', 'value', null);
    const line = 'Cache table "my table" already exists.\n';
    expect(await command()).toEqual({ exitCode: 0, stdout: line + line, stderr: '' });
    expect(await command('--verbosity', '2')).toMatchObject({ exitCode: 0, stdout: line + line });
    expect(await command('--verbosity', '0')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(await cache.get('key')).toBe('value');
  });

  test('making a table prints nothing at verbosity 0 and 1, and a line at 2 (CLI-03)', async () => {
    expect(await command('a', '--verbosity', '0')).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await command('b', '--verbosity', '1')).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await command('c')).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await command('d', '--verbosity', '2')).toEqual({
      exitCode: 0,
      stdout: 'Cache table "d" created.\n',
      stderr: '',
    });
    expect(await tables()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('names of tables are made, and none that is configured (CLI-04)', async () => {
    configureCaches(databaseCaches('configured'));
    expect(await command('one', 'an other')).toMatchObject({ exitCode: 0 });
    expect(await tables()).toEqual(['an other', 'one']);
  });

  test('--dry-run prints the statements, and runs none (CLI-05)', async () => {
    configureCaches(databaseCaches('my table'));
    const { exitCode, stdout } = await command('--dry-run');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^CREATE TABLE .my table. \(/);
    expect(stdout).toMatch(/\);\nCREATE INDEX .my table_expires. ON .my table. \(.expires.\);\n$/);
    expect(watched.statements.filter((text) => /create/i.test(text))).toEqual([]);
    expect(await tables()).toEqual([]);
    // What it prints is what makes the table.
    for (const text of stdout.split(';').slice(0, 2)) await watched.query(text);
    expect(await command('--dry-run')).toEqual({
      exitCode: 0,
      stdout: 'Cache table "my table" already exists.\n',
      stderr: '',
    });
  });

  test('a table that cannot be made is an error that names it and the cause (CLI-08)', async () => {
    await command('first');
    const [name, cause] = {
      // The index of the other one has this name.
      postgres: ['first_expires', /already exists/],
      mysql: ['x'.repeat(65), /Incorrect table name/],
      sqlite: ['sqlite_cache', /reserved/],
    }[database.kind] as [string, RegExp];
    const { exitCode, stdout, stderr } = await command('first', name, 'after');
    expect(exitCode).toBe(1);
    expect(stdout).toBe('Cache table "first" already exists.\n');
    expect(stderr).toMatch(`Cache table "${name}" could not be created in the database "default".`);
    expect(stderr).toMatch(/\nThe error was: /);
    expect(stderr).toMatch(cause);
    expect(await tables()).toEqual(['first']);
  });

  if (database.kind === 'mysql') return;

  test('table and index are made in one transaction (CLI-07, CLI-08)', async () => {
    await watched.query('create table "my table_expires" (a int)');
    const { exitCode, stderr } = await command('my table');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^Cache table "my table" could not be created.*my table_expires/s);
    expect(await tables()).toEqual(['my table_expires']);
  });
});

describe('with several databases', () => {
  let databases: Record<'default' | 'other', WatchedKysely>;
  beforeEach(() => {
    const open = (name: string) =>
      watchedKysely({ kind: 'sqlite', url: `sqlite:${directory}/${name}.db` } as TestDatabase);
    databases = { default: open('default'), other: open('other') };
    configureCaches(databaseCaches('my table'));
    configure();
  });
  afterEach(async () => {
    for (const { kysely } of Object.values(databases)) await kysely.destroy();
  });

  function configure(...routers: DatabaseRouter[]): void {
    configureDatabases(
      { default: databases.default.kysely, other: databases.other.kysely },
      { routers },
    );
  }

  const tablesOf = async (name: 'default' | 'other') =>
    (
      await databases[name].query<{ n: string }>(
        "select name as n from sqlite_master where type = 'table'",
      )
    ).map(({ n }) => n);

  test('--database chooses one, and else it is "default" (CLI-06)', async () => {
    expect(await command('--database', 'other')).toMatchObject({ exitCode: 0 });
    expect(await tablesOf('other')).toEqual(['my table']);
    expect(await tablesOf('default')).toEqual([]);
    expect(await command()).toMatchObject({ exitCode: 0 });
    expect(await tablesOf('default')).toEqual(['my table']);
    expect(await command('by name', '--database', 'other')).toMatchObject({ exitCode: 0 });
    expect(await tablesOf('other')).toEqual(['my table', 'by name']);
  });

  test('a database that is not configured is a usage error that names it (CLI-06)', async () => {
    for (const args of [[], ['a table']]) {
      const { exitCode, stdout, stderr } = await command(...args, '--database', 'absent');
      expect([exitCode, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(
        /^Database "absent" is not configured\. Known databases: "default", "other"\./,
      );
    }
  });

  test('a router that allows one database alone is obeyed, without a query to others (CLI-07)', async () => {
    const seen: unknown[] = [];
    configure(
      { allowMigrate: (...args) => void seen.push(args) },
      { allowMigrate: (name, appLabel) => (appLabel === 'django_cache' ? name === 'other' : null) },
      { allowMigrate: () => true },
    );
    expect(await command('--database', 'default')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(databases.default.statements).toEqual([]);
    expect(await command('--database', 'other')).toMatchObject({ exitCode: 0 });
    expect(databases.other.statements.map((text) => text.slice(0, 12).trimEnd())).toEqual([
      'select 1 fro',
      'begin',
      'CREATE TABLE',
      'CREATE INDEX',
      'commit',
    ]);
    const model = { appLabel: 'django_cache', modelName: 'CacheEntry', table: 'my table' };
    expect(seen).toEqual([
      ['default', 'django_cache', { modelName: 'CacheEntry', model }],
      ['other', 'django_cache', { modelName: 'CacheEntry', model }],
    ]);
  });

  test('caches with a database of their own have their table there', async () => {
    configureCaches({
      default: {},
      named: { backend: 'database', location: 'named', options: { database: 'other' } },
      own: {
        backend: 'database',
        location: 'own',
        options: { database: `sqlite:${directory}/own.db` },
      },
      routed: { backend: 'database', location: 'routed' },
    });
    expect(await command('--verbosity', '2')).toMatchObject({
      exitCode: 0,
      stdout: ['named', 'own', 'routed'].map((name) => `Cache table "${name}" created.\n`).join(''),
    });
    expect(await tablesOf('other')).toEqual(['named']);
    expect(await tablesOf('default')).toEqual(['routed']);
    expect(await command('--database', 'other', '--verbosity', '2')).toMatchObject({
      stdout: 'Cache table "named" already exists.\nCache table "routed" created.\n',
    });
  });

  test('a server that is not there is a command error (CLI-08)', async () => {
    configureDatabases({ default: 'postgres://nobody@127.0.0.1:1/site' });
    const { exitCode, stderr } = await command();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^Cache table "my table" could not be created.*ECONNREFUSED/s);
    expect(stderr).not.toMatch(/\n {4}at /);
  });
});

describe('misuse', () => {
  test.each([
    [['--verbosity', 'loud'], /verbosity.*Give 0, 1, 2 or 3\./],
    [['--verbosity', '4'], /verbosity/],
    [['--databse', 'x'], /--databse/],
    [['--database'], /argument missing/],
    [['--config', 'absent.js'], /There is no file .*absent\.js/],
  ])('%s is a usage error', async (args, message) => {
    const { exitCode, stdout, stderr } = await command(...args);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });

  test('a missing configuration is a usage error that says what to make', async () => {
    directory = makeDirectory();
    const { exitCode, stderr } = await command();
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/There is no cachewright\.config\.js, \.mjs, \.cjs or \.ts in/);
  });

  test('a configuration that throws is a command error with its message', async () => {
    writeFileSync(join(directory, 'cachewright.config.cjs'), "throw new Error('not today')");
    const { exitCode, stderr } = await command();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/cachewright\.config\.cjs cannot be used: not today\n$/);
  });

  test('an alias that makes no sense is named', async () => {
    configureCaches({ default: {}, pages: { backend: 'database', location: '' } });
    const { exitCode, stderr } = await command();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^Cache alias "pages".*Give the name of the table\.\n$/);
  });

  test('no table in any cache is no error (CLI-01)', async () => {
    configureCaches({ default: {} });
    expect(await command()).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  test('--help tells of the options', async () => {
    const { exitCode, stdout } = await command('--help');
    expect(exitCode).toBe(0);
    for (const option of ['--database', '--dry-run', '--verbosity', '--config']) {
      expect(stdout).toContain(option);
    }
  });
});
