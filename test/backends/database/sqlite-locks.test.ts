import { DatabaseCache } from 'cachewright';
import Database from 'libsql';
import { tempDirectories } from '../../support/temp-directory';
import { createTableAt } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';

const makeDirectory = tempDirectories();
let path: string;
let cache: DatabaseCache;
let other: InstanceType<typeof Database>;

beforeEach(async () => {
  path = `${makeDirectory()}/cache.db`;
  await createTableAt(`sqlite:${path}`, 'cache');
  cache = new DatabaseCache('cache', {
    options: { database: `sqlite:${path}`, writeTimeoutMs: 5000, onFailure: () => {} },
  });
  other = new Database(path, { timeout: 5000 });
});
afterEach(async () => {
  other.close();
  await cache.close();
});

test('while another process writes, writes wait without keeping this one from its work', async () => {
  await cache.set('n', 1, null);
  other.exec('begin immediate');
  let isDone = false;
  const writes = Promise.all([cache.set('key', 1, null), cache.add('added', 1), cache.incr('n')]);
  void writes.then(() => {
    isDone = true;
  });
  // Timers run meanwhile: the process is not blocked.
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(isDone).toBe(false);
  other.exec('commit');
  expect(await writes).toEqual([undefined, true, 2]);
  expect(await cache.getMany(['key', 'added', 'n'])).toEqual({ key: 1, added: 1, n: 2 });
});

test('reads do not wait for a writer', async () => {
  await cache.set('key', 1, null);
  other.exec('begin immediate');
  expect(await cache.get('key')).toBe(1);
  other.exec('rollback');
});

test('a write that never gets its turn is refused, and what is written later is committed (DB-10)', async () => {
  other.exec('begin immediate');
  expect(await cache.add('key', 1)).toBe(false);
  other.exec('commit');
  expect(await cache.add('key', 2)).toBe(true);
  expect(await cache.incr('key')).toBe(3);
  // Another connection sees it, and may write at once.
  expect(other.prepare('select count(*) as n from "cache"').all()).toEqual([{ n: 1 }]);
  other.exec('delete from "cache"');
  expect(await cache.get('key')).toBeUndefined();
});

test('a file that another process writes to as it is opened is opened all the same', async () => {
  // One that was not made by us, and so keeps no log yet.
  const file = `${path}.new`;
  const writer = new Database(file);
  const [{ sql: statement }] = other.prepare('select sql from sqlite_master').all() as [
    { sql: string },
  ];
  writer.exec(statement);
  writer.exec('begin immediate');
  const opened = new DatabaseCache('cache', {
    options: { ...UNHURRIED, database: `sqlite:${file}` },
  });
  expect(await opened.get('key', 'fallback')).toBe('fallback');
  writer.exec('commit');
  await opened.set('key', 1);
  expect(await opened.get('key')).toBe(1);
  await opened.close();
  writer.close();
});

test.each([
  ['in a folder that is not there', () => `${path}.none/cache.db`],
  ['that is no database', () => __filename],
])('a file %s is unavailable, and named', async (_name, file) => {
  const broken = new DatabaseCache('cache', { options: { database: `sqlite:${file()}` } });
  await expect(broken.get('key')).rejects.toMatchObject({
    code: 'ERR_CACHE_UNAVAILABLE',
    reason: 'refused',
    message: expect.stringContaining(file()),
  });
  await broken.close();
});
