const EVERY_MS = 100;

/** Goes back to the beginning of the line, and takes away what stood there. */
const ANEW = '\r\x1b[K';

/** A line on a terminal that tells how far long work has come. */
export class Progress {
  readonly #write: ((text: string) => void) | undefined;
  #shownAt = Number.NEGATIVE_INFINITY;
  #isShown = false;

  /** @param write - Writes to the terminal; `undefined`: nobody is there to see it. */
  constructor(write: ((text: string) => void) | undefined) {
    this.#write = write;
  }

  /** Replaces the line, unless that was done a moment ago. */
  show(line: string): void {
    const now = performance.now();
    if (this.#write === undefined || now - this.#shownAt < EVERY_MS) return;
    this.#shownAt = now;
    this.#isShown = true;
    this.#write(ANEW + line);
  }

  /** Takes the line away, before something is printed that is to stay. */
  end(): void {
    if (this.#isShown) this.#write!(ANEW);
    this.#isShown = false;
    this.#shownAt = Number.NEGATIVE_INFINITY;
  }
}
