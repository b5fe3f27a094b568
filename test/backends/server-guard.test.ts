import { CacheUnavailableError } from 'cachewright';
import { type GuardedServer, ServerGuard } from '../../src/backends/server-guard';

/** A server that answers, fails or hangs as it is told. */
class FakeServer implements GuardedServer {
  readonly name = 'Fake at nowhere';
  readonly maxPending = 3;
  readonly probeTimeoutMs = 50;
  mode: 'answer' | 'fail' | 'hang' = 'answer';
  asked = 0;
  pings = 0;
  release: (() => void)[] = [];

  readonly ping = () => {
    this.pings += 1;
    return this.work();
  };

  readonly isAnswer = (error: unknown) => (error as Error).message === 'WRONGTYPE';

  readonly work = async (): Promise<string> => {
    this.asked += 1;
    if (this.mode === 'fail') throw new Error('connection refused');
    if (this.mode === 'hang') await new Promise<void>((resolve) => this.release.push(resolve));
    return 'answer';
  };
}

let server: FakeServer;
let guard: ServerGuard;

beforeEach(() => {
  jest.useFakeTimers();
  server = new FakeServer();
  guard = new ServerGuard(server);
});

afterEach(() => {
  guard.close();
  jest.useRealTimers();
});

async function fail(times: number, error = new Error('connection refused')): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    await expect(guard.run(() => Promise.reject(error), 100)).rejects.toBe(error);
  }
}

test('hands on what the work comes to', async () => {
  expect(await guard.run(server.work, 100)).toBe('answer');
});

test('gives up on work that takes longer than its deadline, and says how long that was', async () => {
  server.mode = 'hang';
  const run = guard.run(server.work, 100);
  const outcome = expect(run).rejects.toMatchObject({
    name: 'CacheUnavailableError',
    code: 'ERR_CACHE_UNAVAILABLE',
    reason: 'timeout',
    message: 'Fake at nowhere took longer than 100 ms.',
  });
  await jest.advanceTimersByTimeAsync(120);
  await outcome;
});

test('takes an answer that came in time though this process was too busy to read it', async () => {
  // The deadline passes and the answer is there in the same turn of the loop.
  const run = guard.run(() => new Promise((resolve) => setImmediate(resolve, 'answer')), 100);
  jest.advanceTimersByTime(100);
  await jest.advanceTimersByTimeAsync(0);
  expect(await run).toBe('answer');
});

test('leaves a server alone after five failures in a row', async () => {
  await fail(5);
  expect(guard.isOpen).toBe(true);
  await expect(guard.run(server.work, 100)).rejects.toMatchObject({
    reason: 'open',
    message: expect.stringContaining('connection refused'),
  });
  expect(server.asked).toBe(0);
});

test('does not count failures that are not in a row', async () => {
  await fail(4);
  await guard.run(server.work, 100);
  await fail(4);
  expect(guard.isOpen).toBe(false);
});

test('takes an error that the server itself answered for a sign of life', async () => {
  await fail(20, new Error('WRONGTYPE'));
  expect(guard.isOpen).toBe(false);
});

test('asks on its own whether the server is there again, and goes on until it is', async () => {
  server.mode = 'fail';
  await fail(5);
  await jest.advanceTimersByTimeAsync(1600);
  expect(server.pings).toBe(3);
  expect(guard.isOpen).toBe(true);
  server.mode = 'answer';
  await jest.advanceTimersByTimeAsync(500);
  expect(guard.isOpen).toBe(false);
  expect(await guard.run(server.work, 100)).toBe('answer');
});

test('lets nobody wait for its question', async () => {
  await fail(5);
  server.mode = 'hang';
  await jest.advanceTimersByTimeAsync(510);
  expect(server.pings).toBe(1);
  await expect(guard.run(server.work, 100)).rejects.toMatchObject({ reason: 'open' });
  expect(server.asked).toBe(1);
});

test('a question that is not answered counts as a failure', async () => {
  await fail(5);
  server.mode = 'hang';
  await jest.advanceTimersByTimeAsync(500 + 70 + 500);
  expect(server.pings).toBe(2);
});

test('has no more under way than it may, late work included', async () => {
  server.mode = 'hang';
  const runs = [1, 2, 3].map(() => guard.run(server.work, 100));
  const outcomes = Promise.allSettled(runs);
  await jest.advanceTimersByTimeAsync(120);
  await outcomes;
  await expect(guard.run(server.work, 100)).rejects.toMatchObject({ reason: 'overload' });
  expect(server.asked).toBe(3);
  for (const release of server.release) release();
  await jest.advanceTimersByTimeAsync(0);
  server.mode = 'answer';
  expect(await guard.run(server.work, 100)).toBe('answer');
});

test('counts work that throws before it has begun', async () => {
  const work = () => {
    throw new Error('not even begun');
  };
  for (let i = 0; i < 4; i += 1) await expect(guard.run(work, 100)).rejects.toThrow('not even');
  expect(await guard.run(server.work, 100)).toBe('answer');
});

test('asks no more once it is closed', async () => {
  server.mode = 'fail';
  await fail(5);
  guard.close();
  await jest.advanceTimersByTimeAsync(5000);
  expect(server.pings).toBe(0);
});

test('asks no more if what was under way fails once it is closed', async () => {
  await fail(2);
  server.mode = 'hang';
  const outcomes = Promise.allSettled([1, 2, 3].map(() => guard.run(server.work, 100)));
  guard.close();
  await jest.advanceTimersByTimeAsync(120);
  await outcomes;
  expect(guard.isOpen).toBe(true);
  await jest.advanceTimersByTimeAsync(5000);
  expect(server.pings).toBe(0);
});

test('its errors are of a class that can be caught', async () => {
  await fail(5);
  await expect(guard.run(server.work, 100)).rejects.toBeInstanceOf(CacheUnavailableError);
});
