import {
  type BaseCache,
  DatabaseCache,
  FileBasedCache,
  MemcachedCache,
  TieredCache,
} from 'cachewright';
import { Client } from 'pg';
import { describeWithServer, type MemcachedServer, startMemcached } from '../../support/servers';
import { tempDirectories } from '../../support/temp-directory';
import { describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED, UNHURRIED_MEMCACHED } from '../../support/unhurried';

const TRUST_MS = 300;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What two processes with a local tier see of each other. @param open - The shared cache. */
function describeTwo(name: string, open: () => BaseCache): void {
  describe(`two local tiers over ${name}`, () => {
    let one: TieredCache;
    let two: TieredCache;

    beforeAll(async () => {
      const make = () =>
        new TieredCache(open(), { options: { trustMs: TRUST_MS, maxAge: 60 } }, true);
      [one, two] = [make(), make()];
      await one.clear();
      await Promise.all([one.get('nothing'), two.get('nothing')]);
      await sleep(3 * TRUST_MS);
    });
    afterAll(() => Promise.all([one.close(), two.close()]));

    /** Reads it often enough for the last time to be in the local tier. */
    async function readHere(key: string): Promise<unknown> {
      for (let i = 0; i < 3; i += 1) await two.get(key);
      const asked = jest.spyOn(two.shared, 'getLatest');
      const value = await two.get(key);
      expect(asked).not.toHaveBeenCalled();
      asked.mockRestore();
      return value;
    }

    test('what one replaces or deletes, the other does not get any more', async () => {
      await one.set('key', 'old');
      expect(await readHere('key')).toBe('old');
      await one.set('key', 'new');
      expect(await two.get('key')).toBe('new');
      expect(await readHere('key')).toBe('new');
      await one.delete('key');
      expect(await two.get('key')).toBeUndefined();
    });

    test('what has a tag that one purges, the other does not get any more', async () => {
      await one.set('product', { price: 10 }, 60, { tags: ['product:42'] });
      await one.set('list', [1], 60, { tags: ['list'] });
      expect(await readHere('product')).toEqual({ price: 10 });
      expect(await readHere('list')).toEqual([1]);
      await one.invalidateTags(['product:42']);
      expect(await two.get('product')).toBeUndefined();
      expect(await two.hasKey('product')).toBe(false);
      expect(await two.getMany(['product', 'list'])).toEqual({ list: [1] });
      expect(await readHere('list')).toEqual([1]);
    });

    test('what is made while its tag is purged is not found later', async () => {
      const made = await two.getOrSet(
        'made',
        async () => {
          await one.invalidateTags(['product:7']);
          return 'old';
        },
        60,
        { tags: ['product:7'] },
      );
      expect(made).toBe('old');
      expect(await one.get('made')).toBeUndefined();
      expect(await two.get('made')).toBeUndefined();
      expect(await two.getOrSet('made', () => 'new', 60, { tags: ['product:7'] })).toBe('new');
      expect(await one.get('made')).toBe('new');
    });
  });
}

describeEachDatabase('Local tiers', (database) => {
  let table: string;
  beforeAll(async () => {
    table = await database.createTable();
  });
  const open = () =>
    new DatabaseCache(table, { options: { ...UNHURRIED, database: database.url } });

  describeTwo('a table', open);

  if (database.kind !== 'postgres') return;
  test('messages go on once their connection is there again', async () => {
    const bus = open().openMessages()!;
    const heard: string[] = [];
    let gaps = 0;
    await bus.listen(['here'], { onMessage: (text) => heard.push(text), onGap: () => (gaps += 1) });
    await bus.say('here', 'before');
    await bus.say('elsewhere', 'not for us');
    const client = new Client(database.url);
    await client.connect();
    await client.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cachewright messages' and datname = current_database()",
    );
    while (gaps === 0) await sleep(20);
    await client.query("select pg_notify('here', 'after')");
    while (heard.length < 2) await sleep(20);
    expect(heard).toEqual(['before', 'after']);
    await client.end();
    await bus.close();
  });
});

describeWithServer('memcached', 'Local tiers', () => {
  let server: MemcachedServer;
  beforeAll(async () => {
    server = await startMemcached();
  });
  afterAll(() => server.stop());
  describeTwo('Memcached', () => new MemcachedCache(server.url, { options: UNHURRIED_MEMCACHED }));
});

describe('Local tiers', () => {
  const makeDirectory = tempDirectories();
  let directory: string;
  beforeAll(() => {
    directory = makeDirectory();
  });
  describeTwo('files', () => new FileBasedCache(directory));
});
