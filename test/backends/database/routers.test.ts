import { configureDatabases, DatabaseCache, type DatabaseRouter } from 'cachewright';
import { stopClock } from '../../support/clock';
import { tempDirectories } from '../../support/temp-directory';
import { createTableAt } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';
import { type WatchedKysely, watchedKysely } from '../../support/watched-kysely';

const clock = stopClock();
const makeDirectory = tempDirectories();
const names = ['default', 'replica', 'other'] as const;
let databases: Record<(typeof names)[number], WatchedKysely>;
let cache: DatabaseCache;

beforeEach(async () => {
  const directory = makeDirectory();
  const open = async (name: string) => {
    const url = `sqlite:${directory}/${name}.db`;
    await createTableAt(url, 'my cache');
    return watchedKysely({ kind: 'sqlite', url, createTable: async () => '' });
  };
  databases = {
    default: await open('default'),
    replica: await open('replica'),
    other: await open('other'),
  };
  cache = new DatabaseCache('my cache', { options: { ...UNHURRIED, maxEntries: 1000 } });
});

afterEach(async () => {
  await cache.close();
  configureDatabases({});
  for (const name of names) await databases[name].kysely.destroy();
});

function route(...routers: DatabaseRouter[]): void {
  const sources = names.map((name) => [name, databases[name].kysely] as const);
  configureDatabases(Object.fromEntries(sources), { routers });
}

/** The databases that were asked since, in order of their names above. */
function asked(): string[] {
  return names.filter((name) => databases[name].statements.splice(0).length > 0);
}

const READS: Record<string, () => Promise<unknown>> = {
  get: () => cache.get('key'),
  getMany: () => cache.getMany(['key', 'other']),
  hasKey: () => cache.hasKey('key'),
};
const WRITES: Record<string, () => Promise<unknown>> = {
  set: () => cache.set('key', 1),
  add: () => cache.add('new', 1),
  setMany: () => cache.setMany({ key: 1 }),
  touch: () => cache.touch('key'),
  incr: () => cache.incr('key'),
  delete: () => cache.delete('key'),
  deleteMany: () => cache.deleteMany(['key']),
  clear: () => cache.clear(),
};

test('without routers, every operation uses the database "default" (DB-14)', async () => {
  route();
  for (const operate of Object.values({ ...WRITES, ...READS })) {
    await cache.set('key', 1);
    asked();
    await operate();
    expect(asked()).toEqual(['default']);
  }
});

describe('with a primary and a replica', () => {
  beforeEach(async () => {
    route({ dbForRead: () => 'replica', dbForWrite: () => 'other' });
    await cache.set('key', 1);
    asked();
  });

  test.each(Object.keys(READS))('%s() reads from that of dbForRead (DB-15)', async (name) => {
    await READS[name]!();
    expect(asked()).toEqual(['replica']);
  });

  test.each(Object.keys(WRITES))('%s() writes to that of dbForWrite (DB-15)', async (name) => {
    await WRITES[name]!();
    expect(asked()).toEqual(['other']);
  });

  test('what a read found expired is deleted from that of dbForWrite (DB-15)', async () => {
    const replica = new DatabaseCache('my cache', {
      options: { ...UNHURRIED, database: databases.replica.kysely },
    });
    // The replica is told what the primary was, here by the test.
    await replica.set('key', 1, 10);
    await cache.set('key', 1, 10);
    clock.advance(11);
    asked();
    expect(await cache.get('key')).toBeUndefined();
    expect(databases.replica.statements).toEqual([expect.stringMatching(/^select/)]);
    expect(databases.other.statements).toEqual([expect.stringMatching(/^delete/)]);
    expect(await databases.other.query('select 1 from "my cache"')).toEqual([]);
  });
});

test('routers see the app django_cache, the model CacheEntry and its table (DB-16)', async () => {
  const seen: unknown[] = [];
  route({
    dbForRead: (model) => void seen.push(model),
    dbForWrite: (model) => void seen.push(model),
  });
  await cache.set('key', 1);
  await cache.get('key');
  const model = { appLabel: 'django_cache', modelName: 'CacheEntry', table: 'my cache' };
  expect(seen).toEqual([model, model]);
});

test('a router that returns null has no opinion, and the next one is asked (DB-16)', async () => {
  route(
    {},
    { dbForRead: () => null, dbForWrite: () => undefined },
    { dbForRead: () => 'replica' },
    { dbForRead: () => 'other', dbForWrite: () => 'other' },
  );
  await cache.set('key', 1);
  expect(asked()).toEqual(['other']);
  await cache.get('key');
  expect(asked()).toEqual(['replica']);
  route({ dbForRead: () => null });
  await cache.get('key');
  expect(asked()).toEqual(['default']);
});

test('a cache with a database of its own, or of its choice, asks no router', async () => {
  route({ dbForRead: () => 'replica', dbForWrite: () => 'replica' });
  const byName = new DatabaseCache('my cache', { options: { ...UNHURRIED, database: 'other' } });
  await byName.set('key', 1);
  expect(await byName.get('key')).toBe(1);
  expect(asked()).toEqual(['other']);
  const own = new DatabaseCache('my cache', {
    options: { ...UNHURRIED, database: databases.default.kysely },
  });
  await own.set('key', 1);
  expect(asked()).toEqual(['default']);
});

test('databases may be configured after the cache was made, and anew', async () => {
  configureDatabases({});
  await expect(cache.get('key')).rejects.toMatchObject({
    code: 'ERR_CACHE_BACKEND',
    message: expect.stringMatching(/"default" is not configured\. Known databases: none\./),
  });
  configureDatabases({ default: databases.default.kysely });
  await cache.set('key', 1);
  configureDatabases({ default: databases.other.kysely });
  expect(await cache.get('key')).toBeUndefined();
});

test('a database that no one configured is named with those that are', async () => {
  route({ dbForRead: () => 'absent' });
  await expect(cache.get('key')).rejects.toThrow(
    'Database "absent" is not configured. Known databases: "default", "replica", "other".',
  );
});

test.each<[string, unknown, unknown]>([
  ['a number', { pages: 5 }, {}],
  ['a URL of something else', { pages: 'redis://:secret@host' }, {}],
  ['a router that is a string', {}, { routers: ['./router'] }],
])('%s is refused at once, without its password', (_name, sources, options) => {
  const configure = () => configureDatabases(sources as never, options as never);
  expect(configure).toThrow(TypeError);
  expect(configure).toThrow(/configureDatabases\(\)/);
  expect(configure).not.toThrow(/secret/);
});
