import { withDeadline } from '../../src/cache/deadline';

const late = () => new Error('late');

beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] }));
afterEach(() => jest.useRealTimers());

/** Once what is due has been told. */
const told = () => new Promise((resolve) => setImmediate(resolve));

test.each([2 ** 31, Number.MAX_SAFE_INTEGER])('a deadline of %d ms is far, not now', async (ms) => {
  const outcomes: unknown[] = [];
  const work = withDeadline(new Promise(() => {}), ms, late);
  work.catch((error) => outcomes.push(error.message));
  jest.advanceTimersByTime(24 * 60 * 60 * 1000);
  await told();
  expect(outcomes).toEqual([]);
  jest.advanceTimersByTime(2 ** 31);
  await told();
  expect(outcomes).toEqual(['late']);
});

test('work that is done leaves no timer behind', async () => {
  expect(await withDeadline(Promise.resolve(1), 1000, late)).toBe(1);
  await expect(withDeadline(Promise.reject(new Error('no')), 1000, late)).rejects.toThrow('no');
  expect(jest.getTimerCount()).toBe(0);
});
