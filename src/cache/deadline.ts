/** The longest that a timer can be set for; a longer one would go off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * What `work` comes to, or the error of `onLate` if it takes longer than `ms`. Work that is late
 * goes on, and nobody hears of it.
 */
export function withDeadline<T>(work: Promise<T>, ms: number, onLate: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => {
        // The process may have been busy for so long itself: an answer that has come is read first.
        setImmediate(() => reject(onLate()));
      },
      Math.min(ms, LONGEST_TIMER_MS),
    );
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
