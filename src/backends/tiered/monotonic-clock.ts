import type { TierClock } from './coherence';

/** The clock of the process, which nobody sets. */
export const monotonicClock: TierClock = {
  now: () => performance.now(),
  after(ms, isIdle, work) {
    const timer = setTimeout(work, ms);
    if (isIdle) timer.unref();
    return () => clearTimeout(timer);
  },
};
