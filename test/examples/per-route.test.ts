import { createServer } from 'node:http';
import { caches } from 'cachewright';
import request from 'supertest';
import { app } from '../../examples/per-route';
import { stopClock } from '../support/clock';
import { settled } from '../support/settled';

const server = createServer(app).listen(0);
const clock = stopClock();

afterAll(() => server.close());
beforeEach(() => caches.default.clear());

async function visit(path: string, language = 'en') {
  const response = await request(server).get(path).set('Accept-Language', language);
  await settled();
  return response;
}

test('a page is computed once in a quarter of an hour', async () => {
  const miss = await visit('/primes/100');
  expect(miss.body).toMatchObject({ limit: 100, count: 25 });
  expect(miss.get('Age')).toBeUndefined();
  clock.advance(899);
  expect((await visit('/primes/100')).get('Age')).toBe('899');
  clock.advance(1);
  expect((await visit('/primes/100')).get('Age')).toBeUndefined();
});

test('the pages of one handler are kept apart', async () => {
  await visit('/primes/100');
  const { body, headers } = await visit('/primes/10');
  expect(headers.age).toBeUndefined();
  expect(body.count).toBe(4);
});

test('a decorated handler is kept apart by language', async () => {
  expect((await visit('/greeting', 'en')).text).toBe('Hello!');
  expect((await visit('/greeting', 'fr')).text).toBe('Bonjour !');
  const hit = await visit('/greeting', 'fr');
  expect(hit.get('Age')).toMatch(/^\d+$/);
  expect(hit.get('Vary')).toBe('Accept-Language');
  expect(hit.text).toBe('Bonjour !');
});

test('a page can be forgotten', async () => {
  await visit('/primes/100');
  await visit('/primes/10');
  await request(server).delete('/primes/100').expect(204);
  expect((await visit('/primes/10')).get('Age')).toMatch(/^\d+$/);
  expect((await visit('/primes/100')).get('Age')).toBeUndefined();
  await request(server).delete('/primes/7').expect(404);
});
