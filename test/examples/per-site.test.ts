import { createServer } from 'node:http';
import { caches } from 'cachewright';
import request from 'supertest';
import { app } from '../../examples/per-site';
import { stopClock } from '../support/clock';
import { settled } from '../support/settled';

const server = createServer(app).listen(0);
const clock = stopClock();

afterAll(() => server.close());
beforeEach(() => caches.default.clear());

async function visit(path: string, encoding = 'identity') {
  const response = await request(server).get(path).set('Accept-Encoding', encoding);
  await settled();
  return response;
}

test('a page is rendered once in ten minutes', async () => {
  const miss = await visit('/');
  clock.advance(599);
  const hit = await visit('/');
  expect(miss.get('Age')).toBeUndefined();
  expect(miss.get('Cache-Control')).toBe('max-age=600');
  expect(hit.get('Age')).toBe('599');
  expect(hit.text).toBe(miss.text);
  clock.advance(1);
  expect((await visit('/')).text).not.toBe(miss.text);
});

test('it is kept compressed for those who can read that', async () => {
  const plain = await visit('/');
  const compressed = await visit('/', 'gzip');
  const again = await visit('/', 'gzip');
  expect(compressed.get('Age')).toBeUndefined();
  expect(again.get('Age')).toMatch(/^\d+$/);
  expect(again.get('Content-Encoding')).toBe('gzip');
  expect(again.text).toBe(compressed.text);
  expect((await visit('/')).text).toBe(plain.text);
});

test('each address is a page of its own', async () => {
  expect((await visit('/prices')).text).toContain('dollars');
  expect((await visit('/prices?currency=EUR')).text).toContain('euros');
});

test('what a page says of its lifetime goes before that of the site', async () => {
  await visit('/news');
  clock.advance(59);
  expect((await visit('/news')).get('Age')).toBe('59');
  clock.advance(1);
  expect((await visit('/news')).get('Age')).toBeUndefined();
});

test('an account is rendered each time', async () => {
  const [first, second] = [await visit('/account'), await visit('/account')];
  expect(second.get('Age')).toBeUndefined();
  expect(second.text).not.toBe(first.text);
});
