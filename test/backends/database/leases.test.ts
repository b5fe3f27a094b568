import { configureDatabases, DatabaseCache } from 'cachewright';
import type { FrozenValue } from '../../../src/cache/frozen-value';
import { stopClock } from '../../support/clock';
import { tempDirectories } from '../../support/temp-directory';
import { createTableAt, describeEachDatabase } from '../../support/test-databases';
import { UNHURRIED } from '../../support/unhurried';

const DEADLINE = UNHURRIED.readTimeoutMs;

const frozen = (text: string): FrozenValue => ({
  byteLength: text.length,
  toBytes: () => Buffer.from(text),
});

describeEachDatabase('A lease in a database', (database) => {
  const clock = stopClock();
  let cache: DatabaseCache;

  beforeEach(async () => {
    const table = await database.createTable();
    cache = new DatabaseCache(table, { options: { ...UNHURRIED, database: database.url } });
  });
  afterEach(() => cache.close());

  const acquire = (token: string, seconds = 60) =>
    cache.acquireLease('lease', token, seconds, DEADLINE);
  const extend = (token: string, seconds = 60) =>
    cache.extendLease('lease', token, seconds, DEADLINE);
  const holder = () => cache.readLease('lease', DEADLINE);

  test('is its owner’s alone to make last, or to end', async () => {
    expect(await acquire('mine')).toBe(true);
    expect(await acquire('theirs')).toBe(false);
    expect(await holder()).toBe('mine');
    expect(await extend('theirs')).toBe(false);
    expect(await extend('theirs', 0)).toBe(false);
    expect(await extend('mine')).toBe(true);
    expect(await extend('mine', 0)).toBe(true);
    expect(await holder()).toBeUndefined();
    expect(await acquire('theirs')).toBe(true);
  });

  test('is passed on by its owner alone, and never free meanwhile', async () => {
    expect(await acquire('mine')).toBe(true);
    expect(await cache.extendLease('lease', 'theirs', 60, DEADLINE, 'next')).toBe(false);
    expect(await holder()).toBe('mine');
    expect(await cache.extendLease('lease', 'mine', 60, DEADLINE, 'next')).toBe(true);
    expect(await holder()).toBe('next');
    expect(await extend('mine')).toBe(false);
    expect(await acquire('theirs')).toBe(false);
  });

  test.each([-3600, 3600])('holds in a process whose clock is %d s off', async (seconds) => {
    expect(await acquire('mine')).toBe(true);
    clock.advance(seconds);
    expect(await holder()).toBe('mine');
    expect(await acquire('theirs')).toBe(false);
    expect(await extend('mine')).toBe(true);
    clock.advance(-seconds);
    expect(await holder()).toBe('mine');
    expect(await acquire('theirs')).toBe(false);
  });

  test('ends by the clock of the database, whatever that of its holder was', async () => {
    clock.advance(3600);
    expect(await acquire('mine', 0.05)).toBe(true);
    clock.advance(-3600);
    // By no other clock does it expire.
    while ((await holder()) !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await extend('mine')).toBe(false);
    expect(await acquire('theirs')).toBe(true);
    expect(await holder()).toBe('theirs');
  });

  test.each(['k'.repeat(245), 'k'.repeat(300), '\ud83e'])(
    'is kept, with its page, under a key that a table cannot hold: %#',
    async (key) => {
      jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
      const lease = `${key}.lease`;
      await cache.setFrozen(key, frozen('page'), 60, DEADLINE);
      expect(await cache.getFrozen(key, DEADLINE)).toEqual(Buffer.from('page'));
      expect(await cache.getFrozen(`${key}.`, DEADLINE)).toBeUndefined();
      expect(await cache.acquireLease(lease, 'mine', 60, DEADLINE)).toBe(true);
      expect(await cache.acquireLease(lease, 'theirs', 60, DEADLINE)).toBe(false);
      expect(await cache.readLease(lease, DEADLINE)).toBe('mine');
      expect(await cache.extendLease(lease, 'mine', 0, DEADLINE)).toBe(true);
      expect(await cache.deleteFrozen(key, DEADLINE)).toBe(true);
      expect(await cache.getFrozen(key, DEADLINE)).toBeUndefined();
      await cache.setFrozen(key, frozen('page'), 60, DEADLINE);
      await cache.deleteFrozenMany([`${key}.`, key], DEADLINE);
      expect(await cache.getFrozen(key, DEADLINE)).toBeUndefined();
      jest.restoreAllMocks();
    },
  );
});

describe('with a replica that lags', () => {
  const makeDirectory = tempDirectories();
  let cache: DatabaseCache;

  beforeEach(async () => {
    const directory = makeDirectory();
    const primary = `sqlite:${directory}/primary.db`;
    const replica = `sqlite:${directory}/replica.db`;
    for (const url of [primary, replica]) await createTableAt(url, 'pages');
    configureDatabases(
      { primary, replica },
      { routers: [{ dbForRead: () => 'replica', dbForWrite: () => 'primary' }] },
    );
    cache = new DatabaseCache('pages', { options: UNHURRIED });
  });
  afterEach(async () => {
    await cache.close();
    configureDatabases({});
  });

  test('who waits for a lease asks the primary', async () => {
    expect(await cache.acquireLease('lease', 'mine', 60, DEADLINE)).toBe(true);
    expect(await cache.readLease('lease', DEADLINE)).toBe('mine');
  });

  test('what another process has just stored is there for who asks for the latest', async () => {
    await cache.setFrozen('page', frozen('page'), 60, DEADLINE);
    expect(await cache.getFrozen('page', DEADLINE)).toBeUndefined();
    expect(await cache.getFrozen('page', DEADLINE, true)).toEqual(Buffer.from('page'));
  });
});
