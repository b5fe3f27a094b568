/** The longest that a timer can be set for; a longer one would go off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** As many times as the process looks at what has come before it gives up on anything. */
const STEPS = 10;

/** By so much at most a deadline is put off while the process is busy, that it does end. */
const LONGEST_DELAY_MS = 2000;

/**
 * A span of time within which something is to be done by others. Time in which this process was
 * too busy to see whether it was does not count: the span is passed in steps, of which each counts
 * for its own length however late it ends, and after each of which what has come meanwhile is
 * read. A server that is connected to, asked and heard takes several turns of the event loop, and
 * where hundreds of requests come at once one turn alone may be longer than the whole span.
 */
export class Deadline {
  readonly ms: number;
  readonly #lastAt: number;
  readonly #timer: NodeJS.Timeout;
  readonly #onOver: (() => void)[] = [];
  #stepsLeft: number;
  #hasEnded = false;
  #isOver = false;

  /**
   * Begins now.
   *
   * @param ms - Its length, if the process is not busy.
   * @param onOver - Told when it is over, unless it was ended before.
   */
  constructor(ms: number, onOver?: () => void) {
    if (onOver !== undefined) this.#onOver.push(onOver);
    const stepMs = Math.min(Math.ceil(ms / STEPS), LONGEST_TIMER_MS);
    this.ms = ms;
    this.#lastAt = performance.now() + ms + LONGEST_DELAY_MS;
    this.#stepsLeft = Math.ceil(ms / stepMs) || 1;
    // An answer that has come is read first.
    this.#timer = setTimeout(() => setImmediate(() => this.#step()), stepMs);
  }

  /** Whether it is too late. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * What `work` comes to, or the error of `onLate` if that is not in time. Work that is late goes
   * on, and nobody hears of it.
   */
  within<T>(work: Promise<T>, onLate: () => Error): Promise<T> {
    if (this.#isOver) return Promise.reject(onLate());
    return new Promise((resolve, reject) => {
      let isSettled = false;
      this.#onOver.push(() => {
        if (!isSettled) reject(onLate());
      });
      work.then(resolve, reject).finally(() => {
        isSettled = true;
      });
    });
  }

  /** Nobody waits any more. */
  end(): void {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
  }

  #step(): void {
    if (this.#hasEnded) return;
    this.#stepsLeft -= 1;
    if (this.#stepsLeft > 0 && performance.now() < this.#lastAt) {
      this.#timer.refresh();
      return;
    }
    this.#isOver = true;
    // One by one: who is told first may have more to say of it to the next.
    for (const tell of this.#onOver) setImmediate(tell);
  }
}

/**
 * What `work` comes to, or the error of `onLate` if it takes longer than `ms`, as
 * {@link Deadline.within} has it.
 */
export function withDeadline<T>(
  work: (deadline: Deadline) => Promise<T>,
  ms: number,
  onLate: () => Error,
): Promise<T> {
  const deadline = new Deadline(ms);
  const end = () => deadline.end();
  const done = work(deadline);
  done.then(end, end);
  return deadline.within(done, onLate);
}
