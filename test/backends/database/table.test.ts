import { DatabaseCache } from 'cachewright';
import { type Kysely, sql } from 'kysely';
import { stopClock } from '../../support/clock';
import { catchWarnings } from '../../support/process-warnings';
import { describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';
import { type WatchedKysely, watchedKysely } from '../../support/watched-kysely';

describeEachDatabase('The table of a database cache', (database) => {
  const clock = stopClock();
  catchWarnings();
  const opened: DatabaseCache[] = [];
  let watched: WatchedKysely;
  beforeAll(() => {
    watched = watchedKysely(database);
  });
  afterAll(() => watched.kysely.destroy());
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
  });

  function open(table: string, source: Kysely<unknown> | string = database.url): DatabaseCache {
    const made = new DatabaseCache(table, { options: { ...UNHURRIED, database: source } });
    opened.push(made);
    return made;
  }

  test.each([
    'my cache table',
    'order',
    'a.b',
    'x as y',
    'Großschreibung',
    `quotes " and \` and '`,
    `"; drop table "order"; --`,
    `longer than the name of its index may be ${'x'.repeat(22)}`,
    `as long, so that both indexes would be called alike ${'x'.repeat(10)}1`,
    `as long, so that both indexes would be called alike ${'x'.repeat(10)}2`,
  ])('may be called %s (DB-01)', async (name) => {
    const table = await database.createTable(name);
    const cache = open(table);
    await cache.set('set', 1);
    expect(await cache.add('added', 2)).toBe(true);
    await cache.setMany({ many: 3 });
    expect(await cache.touch('set', 100)).toBe(true);
    expect(await cache.incr('set')).toBe(2);
    expect(await cache.hasKey('added')).toBe(true);
    expect(await cache.getMany(['set', 'added', 'many'])).toEqual({ set: 2, added: 2, many: 3 });
    expect(await cache.delete('set')).toBe(true);
    await cache.deleteMany(['added']);
    expect(await cache.getMany(['set', 'added', 'many'])).toEqual({ many: 3 });
    await cache.clear();
    expect(await cache.hasKey('many')).toBe(false);
  });

  test('keys and values are bound, whatever they hold (DB-01)', async () => {
    const cache = open(await database.createTable());
    const hostile = [`'); delete from x; --`, `\\'`, '?', '$1', ':name', '%', `\\`, '"', '`'];
    await cache.setMany(Object.fromEntries(hostile.map((text) => [text, text])));
    for (const text of hostile) expect(await cache.get(text)).toBe(text);
    await cache.delete('%');
    expect(Object.keys(await cache.getMany(hostile))).toHaveLength(hostile.length - 1);
  });

  test('has Django’s columns, with bytes for values, and an index on the expiry (DB-02)', async () => {
    const table = await database.createTable('columns table');
    const columns = { postgres: postgresColumns, mysql: mysqlColumns, sqlite: sqliteColumns };
    const found = await columns[database.kind](watched, table);
    const [key, value, expires] = {
      postgres: ['character varying(255)', 'bytea', 'timestamp(3) with time zone'],
      mysql: ['varbinary(1020)', 'longblob', 'datetime(3)'],
      sqlite: ['varchar(255)', 'blob', 'datetime'],
    }[database.kind]!;
    expect(found).toEqual({
      columns: [
        ['cache_key', key, 'not null', 'primary'],
        ['value', value, 'not null', ''],
        ['expires', expires, 'not null', ''],
      ],
      indexed: ['columns table_expires', 'expires'],
    });
  });

  test('keys that differ at all are two: by case, accents, blanks at the end, composition', async () => {
    const cache = open(await database.createTable());
    const keys = [
      'key',
      'KEY',
      'kéy',
      'key ',
      'key  ',
      'ke\u0301y',
      'ключ',
      'КЛЮЧ',
      'ß',
      'ss',
      '🦊',
    ];
    await cache.setMany(new Map(keys.map((key, i) => [key, i])));
    const found = await cache.getMany<number>(keys);
    expect(keys.map((key) => found[key])).toEqual(keys.map((_, i) => i));
  });

  test('"never" is the last day there is (DB-11)', async () => {
    const table = await database.createTable();
    const cache = open(table);
    await cache.set('key', 1, null);
    await cache.set('late', 1, 1e12);
    for (const text of await expiries(watched, database.kind, table)) {
      expect(text).toMatch(/^9999-12-31 23:59:59\.999/);
    }
    clock.advance(1e11);
    expect(await cache.getMany(['key', 'late'])).toEqual({ key: 1, late: 1 });
  });

  test('an expiry is an instant in UTC, to the millisecond (DB-12)', async () => {
    const table = await database.createTable();
    const cache = open(table);
    await cache.set('key', 1, 90.5);
    const expected = new Date(clock.now() + 90_500).toISOString().replace(/[TZ]/g, ' ').trim();
    expect(await expiries(watched, database.kind, table)).toEqual([expected]);
    clock.advance(90.5);
    expect(await cache.get('key')).toBe(1);
    clock.advance(0.001);
    expect(await cache.get('key')).toBeUndefined();
  });

  if (database.kind === 'sqlite') return;

  test('the time zone of a session changes nothing (DB-12)', async () => {
    const table = await database.createTable();
    const west = open(table, await inTimeZone('America/Los_Angeles', '-08:00'));
    const east = open(table, await inTimeZone('Pacific/Kiritimati', '+13:00'));
    const home = open(table);
    await west.set('west', 1, 60);
    await east.set('east', 1, 60);
    await home.set('home', 1, 60);
    expect(await east.add('west', 2, 60)).toBe(false);
    expect(await west.touch('east', 60)).toBe(true);
    clock.advance(59);
    for (const cache of [west, east, home]) {
      expect(await cache.getMany(['west', 'east', 'home'])).toEqual({ west: 1, east: 1, home: 1 });
    }
    const expected = new Date(clock.now() + 1000).toISOString().replace(/[TZ]/g, ' ').trim();
    expect(new Set(await expiries(watched, database.kind, table))).toEqual(new Set([expected]));
    clock.advance(2);
    expect(await west.add('east', 2, 60)).toBe(true);
    for (const cache of [west, east, home]) {
      expect(await cache.getMany(['west', 'east', 'home'])).toEqual({ east: 2 });
    }
  });

  /** A Kysely of one connection whose session is elsewhere. */
  async function inTimeZone(name: string, offset: string): Promise<Kysely<unknown>> {
    const { kysely } = watchedKysely(database, { connections: 1 });
    closing.push(kysely);
    const text =
      database.kind === 'postgres' ? `set time zone '${name}'` : `set time_zone = '${offset}'`;
    await sql.raw(text).execute(kysely);
    return kysely;
  }
  const closing: Kysely<unknown>[] = [];
  afterEach(async () => {
    for (const kysely of closing.splice(0)) await kysely.destroy();
  });
});

/** What is stored, as text in UTC. */
async function expiries(
  { query }: WatchedKysely,
  kind: 'postgres' | 'mysql' | 'sqlite',
  table: string,
): Promise<string[]> {
  const text = {
    postgres: `select to_char(expires at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') as e from "${table}"`,
    mysql: `select cast(expires as char) as e from \`${table}\``,
    sqlite: `select expires as e from "${table}"`,
  }[kind];
  return (await query<{ e: string }>(text)).map(({ e }) => e);
}

interface Shape {
  columns: string[][];
  indexed: string[];
}

async function postgresColumns({ query }: WatchedKysely, table: string): Promise<Shape> {
  const columns = await query<{ n: string; t: string; nn: boolean; p: boolean }>(`
    select attname as n, format_type(atttypid, atttypmod) as t, attnotnull as nn,
      exists (select 1 from pg_index i where i.indrelid = a.attrelid and i.indisprimary
        and a.attnum = any (i.indkey)) as p
    from pg_attribute a where attrelid = '"${table}"'::regclass and attnum > 0 order by attnum`);
  const [index] = await query<{ n: string; d: string }>(`
    select indexname as n, indexdef as d from pg_indexes
    where tablename = '${table}' and indexname like '%expires'`);
  return {
    columns: columns.map(({ n, t, nn, p }) => [n, t, nn ? 'not null' : '', p ? 'primary' : '']),
    indexed: [index!.n, /\((\w+)\)/.exec(index!.d)![1]!],
  };
}

async function mysqlColumns({ query }: WatchedKysely, table: string): Promise<Shape> {
  const columns = await query<Record<'Field' | 'Type' | 'Null' | 'Key', string>>(
    `show columns from \`${table}\``,
  );
  const [index] = await query<Record<'Key_name' | 'Column_name', string>>(
    `show index from \`${table}\` where Key_name <> 'PRIMARY'`,
  );
  return {
    columns: columns.map(({ Field, Type, Null, Key }) => [
      Field,
      Type,
      Null === 'NO' ? 'not null' : '',
      Key === 'PRI' ? 'primary' : '',
    ]),
    indexed: [index!.Key_name, index!.Column_name],
  };
}

async function sqliteColumns({ query }: WatchedKysely, table: string): Promise<Shape> {
  const columns = await query<{ name: string; type: string; notnull: number; pk: number }>(
    `pragma table_info("${table}")`,
  );
  const [column] = await query<{ name: string }>(`pragma index_info("${table}_expires")`);
  return {
    columns: columns.map(({ name, type, notnull, pk }) => [
      name,
      type.toLowerCase(),
      notnull === 1 ? 'not null' : '',
      pk === 1 ? 'primary' : '',
    ]),
    indexed: [`${table}_expires`, column!.name],
  };
}
