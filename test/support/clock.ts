/** Time that only moves when told to. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Lets `seconds` pass; a negative number sets the clock back. */
  advance(seconds: number): void;
}

/** A whole second, so that ages and expiry dates come out even. */
const START = Date.UTC(2026, 0, 5, 12, 0, 0);

/** Stops `Date.now()` for every test of the file or block it is called in. */
export function stopClock(start = START): Clock {
  let now = start;
  let spy: jest.SpyInstance;
  beforeEach(() => {
    now = start;
    spy = jest.spyOn(Date, 'now').mockImplementation(() => now);
  });
  afterEach(() => spy.mockRestore());
  return {
    now: () => now,
    advance: (seconds) => {
      now += seconds * 1000;
    },
  };
}
