import { createServer } from 'node:http';
import { type BaseCache, caches } from 'cachewright';
import request from 'supertest';
import { app, CountingCache } from '../../examples/custom-backend';
import { settled } from '../support/settled';

const server = createServer(app).listen(0);

afterAll(() => server.close());

test('pages are kept in the backend of our own, which counts', async () => {
  expect(caches.default).toBeInstanceOf(CountingCache);
  const miss = await request(server).get('/');
  await settled();
  const hit = await request(server).get('/');
  expect(miss.get('Age')).toBeUndefined();
  expect(hit.get('Age')).toMatch(/^\d$/);
  expect(hit.text).toBe(miss.text);
  const { body, headers } = await request(server).get('/tally');
  // One page, and counters of its tags.
  expect(body.set).toBe(1);
  expect(body.hit).toBeGreaterThan(0);
  expect(body.get).toBeGreaterThan(body.hit);
  expect(headers['cache-control']).toContain('no-store');
});

test('its six methods carry all others', async () => {
  const cache: BaseCache = new CountingCache('all', { keyPrefix: 'p' });
  await cache.setMany({ a: 1, b: null });
  expect(await cache.getMany(['a', 'b', 'c'])).toEqual({ a: 1, b: null });
  expect(await cache.get('b', 'fallback')).toBeNull();
  expect(await cache.incr('a')).toBe(2);
  expect(await cache.add('a', 9)).toBe(false);
  expect(await cache.touch('a', 0)).toBe(true);
  expect(await cache.hasKey('a')).toBe(false);
  expect(await cache.getOrSet('d', () => 4)).toBe(4);
  expect(await cache.incrVersion('d')).toBe(2);
  expect(await cache.get('d', undefined, { version: 2 })).toBe(4);
  expect(await cache.delete('d', { version: 2 })).toBe(true);
  await cache.clear();
  expect(await cache.get('b')).toBeUndefined();
});
