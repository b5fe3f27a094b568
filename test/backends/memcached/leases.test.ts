import { setTimeout as delay } from 'node:timers/promises';
import { MemcachedCache } from 'cachewright';
import { eventually } from '../../support/eventually';
import { describeWithServer, type MemcachedServer, startMemcached } from '../../support/servers';
import { UNHURRIED_MEMCACHED } from '../../support/unhurried';

const DEADLINE = UNHURRIED_MEMCACHED.readTimeoutMs;

describeWithServer('memcached', 'leases on Memcached', () => {
  let server: MemcachedServer;
  let cache: MemcachedCache;
  beforeAll(async () => {
    server = await startMemcached();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    cache = new MemcachedCache(server.url, { options: UNHURRIED_MEMCACHED });
    await cache.clear();
  });
  afterEach(() => cache.close());

  const take = (token: string, seconds = 10) =>
    cache.acquireLease('lease', token, seconds, DEADLINE);
  const extend = (token: string, seconds: number) =>
    cache.extendLease('lease', token, seconds, DEADLINE);
  const holder = () => cache.readLease('lease', DEADLINE);

  test('are one process’s at a time', async () => {
    const outcomes = await Promise.all(['a', 'b', 'c'].map((token) => take(token)));
    expect(outcomes).toEqual([true, false, false]);
    expect(await holder()).toBe('a');
  });

  test('are ended and made longer by their holder alone', async () => {
    await take('mine');
    expect(await extend('yours', 10)).toBe(false);
    expect(await extend('yours', 0)).toBe(false);
    expect(await extend('mine', 10)).toBe(true);
    expect(await holder()).toBe('mine');
    expect(await extend('mine', 0)).toBe(true);
    expect(await holder()).toBeUndefined();
    expect(await extend('mine', 10)).toBe(false);
    expect(await holder()).toBeUndefined();
  });

  test('are passed on by their holder alone, and never free meanwhile', async () => {
    await take('mine');
    expect(await cache.extendLease('lease', 'yours', 10, DEADLINE, 'next')).toBe(false);
    expect(await holder()).toBe('mine');
    expect(await cache.extendLease('lease', 'mine', 10, DEADLINE, 'next')).toBe(true);
    expect(await holder()).toBe('next');
    expect(await extend('mine', 10)).toBe(false);
    expect(await take('yours')).toBe(false);
  });

  test.each([0, 10])(
    'that passed on between the look and the act stay what they are, for %d seconds',
    async (seconds) => {
      await take('mine');
      // Asked for in one tick, so in this order: the act comes after all three answers.
      const [act, , taken] = await Promise.all([
        extend('mine', seconds),
        cache.delete('lease'),
        take('yours'),
      ]);
      expect(taken).toBe(true);
      expect(act).toBe(false);
      expect(await holder()).toBe('yours');
    },
  );

  test('last for as long as they are taken for, at the least', async () => {
    // In steps over a second, so that every phase of the server's clock is met.
    const leases = Array.from({ length: 8 }, async (_, i) => {
      await delay(i * 125);
      for (let isInTime = false; !isInTime; ) {
        const takenAt = performance.now();
        expect(await cache.acquireLease(`lease${i}`, 'me', 1, DEADLINE)).toBe(true);
        expect(await cache.acquireLease(`renewed${i}`, 'me', 10, DEADLINE)).toBe(true);
        expect(await cache.extendLease(`renewed${i}`, 'me', 1, DEADLINE)).toBe(true);
        await delay(900);
        const holders = [
          await cache.readLease(`lease${i}`, DEADLINE),
          await cache.readLease(`renewed${i}`, DEADLINE),
        ];
        // Else the machine was so busy that the second is over.
        isInTime = performance.now() < takenAt + 1000;
        if (isInTime) expect(holders).toEqual(['me', 'me']);
        await delay(1300);
        await eventually(async () => {
          expect(await cache.readLease(`lease${i}`, DEADLINE)).toBeUndefined();
          expect(await cache.readLease(`renewed${i}`, DEADLINE)).toBeUndefined();
        });
      }
    });
    await Promise.all(leases);
  });
});
