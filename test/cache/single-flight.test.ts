import { SingleFlight } from '../../src/cache/single-flight';

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

test('callers that come while it flies join, and get its value (API-30)', async () => {
  const flights = new SingleFlight<string>();
  const work = deferred<string>();
  const start = jest.fn(() => work.promise);
  const flying = [flights.run('key', start), flights.run('key', start), flights.run('key', start)];
  work.resolve('value');
  expect(await Promise.all(flying)).toEqual(['value', 'value', 'value']);
  expect(start).toHaveBeenCalledTimes(1);
});

test('a rejection reaches all who joined, and the next starts anew (API-30)', async () => {
  const flights = new SingleFlight<string>();
  const fault = new Error('crashed');
  const flying = [flights.run('key', async () => Promise.reject(fault)), flights.run('key', fail)];
  for (const outcome of await Promise.allSettled(flying)) {
    expect(outcome).toEqual({ status: 'rejected', reason: fault });
  }
  expect(await flights.run('key', async () => 'next')).toBe('next');
});

test('the next caller after it has landed starts anew', async () => {
  const flights = new SingleFlight<number>();
  let runs = 0;
  const work = async () => ++runs;
  expect(await flights.run('key', work)).toBe(1);
  expect(await flights.run('key', work)).toBe(2);
});

test('keys fly apart', async () => {
  const flights = new SingleFlight<string>();
  const slow = deferred<string>();
  const one = flights.run('one', () => slow.promise);
  expect(await flights.run('two', async () => 'at once')).toBe('at once');
  slow.resolve('late');
  expect(await one).toBe('late');
});

async function fail(): Promise<never> {
  throw new Error('must not run');
}
