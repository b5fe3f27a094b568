/** Lets at most so much work run at a time; the rest waits its turn. */
export class Slots {
  #free: number;
  #waiting: (() => void)[] = [];
  #next = 0;

  constructor(limit: number) {
    this.#free = limit;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((start) => this.#waiting.push(start));
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    const start = this.#waiting[this.#next];
    if (start === undefined) {
      this.#free++;
      return;
    }
    // Not shift(), which moves all that wait.
    this.#next++;
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    }
    start();
  }
}
