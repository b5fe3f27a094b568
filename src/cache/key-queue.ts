/** Runs work on the same key in the order it came, one at a time; other keys do not wait. */
export class KeyQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Starts `work` once all earlier work on `key` has settled, and settles as it does. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const tail = before === undefined ? work() : before.then(work, work);
    this.#tails.set(key, tail);
    const leave = () => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    };
    tail.then(leave, leave);
    return tail;
  }
}
