import { SingleFlight } from '../../src/cache/single-flight';
import { settled } from '../support/settled';

/** What `getOrSet()` does: joins, looks for a while, then has the work done if it is needed. */
async function want<T>(
  flights: SingleFlight<T>,
  key: string,
  work: () => Promise<T>,
  look: Promise<T | undefined> = Promise.resolve(undefined),
): Promise<T> {
  const flight = flights.join(key);
  try {
    return (await look) ?? (await flight.run(work));
  } finally {
    flight.leave();
  }
}

function deferred<T>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((yes) => {
    resolve = yes;
  });
  return { promise, resolve };
}

test('callers that come while it flies join, and get its value (API-30)', async () => {
  const flights = new SingleFlight<string>();
  const work = deferred<string>();
  const start = jest.fn(() => work.promise);
  const flying = [1, 2, 3].map(() => want(flights, 'key', start));
  await settled();
  flying.push(want(flights, 'key', start));
  await settled();
  work.resolve('value');
  expect(await Promise.all(flying)).toEqual(['value', 'value', 'value', 'value']);
  expect(start).toHaveBeenCalledTimes(1);
});

test('one that came before it landed shares it, however long it looked (API-30)', async () => {
  const flights = new SingleFlight<string>();
  const look = deferred<undefined>();
  const slow = want(flights, 'key', mustNotRun, look.promise);
  expect(await want(flights, 'key', async () => 'value')).toBe('value');
  look.resolve(undefined);
  expect(await slow).toBe('value');
});

test('a rejection reaches all who joined, and the next starts anew (API-30)', async () => {
  const flights = new SingleFlight<string>();
  const fault = new Error('crashed');
  const look = deferred<undefined>();
  const slow = want(flights, 'key', mustNotRun, look.promise);
  const flying = [want(flights, 'key', async () => Promise.reject(fault))];
  flying.push(want(flights, 'key', mustNotRun));
  for (const outcome of await Promise.allSettled(flying)) {
    expect(outcome).toEqual({ status: 'rejected', reason: fault });
  }
  expect(await want(flights, 'key', async () => 'next')).toBe('next');
  look.resolve(undefined);
  await expect(slow).rejects.toBe(fault);
});

test('the next caller after it has landed starts anew', async () => {
  const flights = new SingleFlight<number>();
  let runs = 0;
  const work = async () => ++runs;
  expect(await want(flights, 'key', work)).toBe(1);
  expect(await want(flights, 'key', work)).toBe(2);
});

test('one that never took off keeps nobody from the next', async () => {
  const flights = new SingleFlight<string>();
  const found = () => want(flights, 'key', mustNotRun, Promise.resolve('found'));
  expect(await Promise.all([found(), found()])).toEqual(['found', 'found']);
  const first = flights.join('key');
  first.leave();
  expect(flights.join('key')).not.toBe(first);
});

test('keys fly apart', async () => {
  const flights = new SingleFlight<string>();
  const slow = deferred<string>();
  const one = want(flights, 'one', () => slow.promise);
  expect(await want(flights, 'two', async () => 'at once')).toBe('at once');
  slow.resolve('late');
  expect(await one).toBe('late');
});

async function mustNotRun(): Promise<never> {
  throw new Error('must not run');
}
