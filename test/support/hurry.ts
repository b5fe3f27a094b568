/** Monotonic time, which can be made to pass. */
export interface Hurry {
  /** Lets `seconds` pass for all that measures how long something takes. Timers stay as they are. */
  advance(seconds: number): void;
}

/** Takes `performance.now()` in hand, for every test of the file or block it is called in. */
export function hurry(): Hurry {
  let ahead = 0;
  let spy: jest.SpyInstance;
  beforeEach(() => {
    const { now } = performance;
    ahead = 0;
    spy = jest.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + ahead);
  });
  afterEach(() => spy.mockRestore());
  return {
    advance(seconds) {
      ahead += seconds * 1000;
    },
  };
}
