import { caches } from 'cachewright';
import request from 'supertest';
import { app } from '../../examples/low-level';
import { stopClock } from '../support/clock';

const clock = stopClock();

beforeEach(() => Promise.all([caches.default.clear(), caches.votes!.clear()]));

async function vote(choice: string): Promise<number> {
  return (await request(app).post(`/votes/${choice}`).expect(200)).body;
}

async function report() {
  return (await request(app).get('/report').expect(200)).body;
}

test('votes are counted, and only those there are are told', async () => {
  expect([await vote('tea'), await vote('tea'), await vote('coffee')]).toEqual([1, 2, 1]);
  const { body } = await request(app).get('/votes?for=tea,coffee,water');
  expect(body).toEqual({ tea: 2, coffee: 1 });
});

test('votes that come at once are all counted', async () => {
  const counts = await Promise.all(Array.from({ length: 10 }, () => vote('tea')));
  expect(counts.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test('votes do not expire', async () => {
  await vote('tea');
  clock.advance(366 * 24 * 60 * 60);
  expect(await vote('tea')).toBe(2);
});

test('the report is made at most every ten seconds', async () => {
  await vote('tea');
  expect((await report()).total).toBe(1);
  await vote('tea');
  clock.advance(9);
  expect((await report()).total).toBe(1);
  clock.advance(1);
  expect((await report()).total).toBe(2);
});

test('a new round begins without votes, and with a new report', async () => {
  await vote('tea');
  expect(await report()).toMatchObject({ round: 1, total: 1 });
  expect((await request(app).post('/rounds')).body).toBe(2);
  expect(await report()).toMatchObject({ round: 2, total: 0 });
  expect(await vote('tea')).toBe(1);
});
