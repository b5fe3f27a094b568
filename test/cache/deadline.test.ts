import { Deadline, withDeadline } from '../../src/cache/deadline';

const late = () => new Error('late');
const never = () => new Promise<never>(() => {});

beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] }));
afterEach(() => jest.useRealTimers());

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Lets time pass in one turn of the event loop, in which the process sees nothing of it. */
async function busyFor(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  await turn();
}

/** Lets time pass with nothing else to do. */
async function idleFor(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1) await busyFor(1);
  // What is over is told in the next turn.
  await turn();
}

/** What becomes of work within a deadline, once something does. */
function outcomesOf(work: Promise<unknown>): unknown[] {
  const outcomes: unknown[] = [];
  work.then(
    (value) => outcomes.push(value),
    (error) => outcomes.push(error.message),
  );
  return outcomes;
}

test('work is late when its time has passed, and not before', async () => {
  const outcomes = outcomesOf(withDeadline(never, 100, late));
  await idleFor(95);
  expect(outcomes).toEqual([]);
  await idleFor(6);
  expect(outcomes).toEqual(['late']);
});

test.each([0, 1, 7])('a deadline of %d ms passes, too', async (ms) => {
  const outcomes = outcomesOf(withDeadline(never, ms, late));
  await idleFor(ms + 2);
  expect(outcomes).toEqual(['late']);
});

test('time in which the process was busy does not count', async () => {
  const outcomes = outcomesOf(withDeadline(never, 100, late));
  await busyFor(1500);
  await idleFor(85);
  expect(outcomes).toEqual([]);
  await idleFor(10);
  expect(outcomes).toEqual(['late']);
});

test('what takes several turns of a busy process is in time', async () => {
  const work = async () => {
    // Connect, ask, hear: as many turns, each of them longer than the deadline.
    for (let i = 0; i < 6; i += 1) await busyFor(200);
    return 'done';
  };
  expect(await withDeadline(work, 100, late)).toBe('done');
});

test('a process that is always busy gives up all the same', async () => {
  const outcomes = outcomesOf(withDeadline(never, 1000, late));
  for (let i = 0; i < 5; i += 1) await busyFor(500);
  expect(outcomes).toEqual([]);
  await busyFor(500);
  await turn();
  expect(outcomes).toEqual(['late']);
});

test.each([2 ** 31, Number.MAX_SAFE_INTEGER])('a deadline of %d ms is far, not now', async (ms) => {
  const outcomes = outcomesOf(withDeadline(never, ms, late));
  await busyFor(24 * 60 * 60 * 1000);
  await turn();
  expect(outcomes).toEqual([]);
});

test('work is told that it is too late before its caller is', async () => {
  let deadline: Deadline | undefined;
  const work = (given: Deadline) => {
    deadline = given;
    return given.within(never(), () => new Error('not even begun'));
  };
  const outcomes = outcomesOf(withDeadline(work, 100, late));
  await idleFor(90);
  expect(deadline!.isOver).toBe(false);
  await idleFor(11);
  expect(deadline!.isOver).toBe(true);
  expect(outcomes).toEqual(['not even begun']);
});

test('work that is done in the last moment is not called late', async () => {
  const onLate = jest.fn(late);
  const deadline = new Deadline(1);
  let finish: (value: string) => void = () => {};
  const outcome = deadline.within(new Promise<string>((resolve) => (finish = resolve)), onLate);
  jest.advanceTimersByTime(1);
  while (!deadline.isOver) await turn();
  finish('done');
  expect(await outcome).toBe('done');
  await turn();
  expect(onLate).not.toHaveBeenCalled();
});

test('what is begun after the deadline is late at once', async () => {
  const deadline = new Deadline(1);
  await idleFor(3);
  await expect(deadline.within(never(), late)).rejects.toThrow('late');
});

test('work that is done leaves no timer behind', async () => {
  expect(await withDeadline(async () => 1, 1000, late)).toBe(1);
  const failing = () => Promise.reject(new Error('no'));
  await expect(withDeadline(failing, 1000, late)).rejects.toThrow('no');
  expect(jest.getTimerCount()).toBe(0);
  const outcomes = outcomesOf(
    withDeadline(
      async () => {
        jest.advanceTimersByTime(1);
        return 2;
      },
      5,
      late,
    ),
  );
  await turn();
  expect(outcomes).toEqual([2]);
  // Its step was due already: it must not set off the next.
  expect(jest.getTimerCount()).toBe(0);
});
