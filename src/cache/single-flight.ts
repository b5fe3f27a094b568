/** Lets callers that want the same thing at the same time share one run of the work. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /**
   * The flight for `key` that has not landed yet. Join before looking whether the work is needed:
   * then whoever comes to that answer late does not do again what was done meanwhile.
   */
  join(key: string): Flight<T> {
    let flight = this.#flights.get(key);
    if (flight === undefined) {
      flight = new Flight(() => {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
      });
      this.#flights.set(key, flight);
    }
    flight.enter();
    return flight;
  }
}

/**
 * How far the work is: whoever joins while it is `'to-begin'` shares what is read later; while it is
 * `'under-way'`, what may have changed since; when it is `'ending'`, it is not checked any more.
 */
export type FlightPhase = 'to-begin' | 'under-way' | 'ending';

/** One run of some work, and those who share it. */
export class Flight<T> {
  readonly #end: () => void;
  #passengers = 0;
  #landing: Promise<T> | undefined;
  #phase: FlightPhase = 'to-begin';

  /** @param end - Called when whoever comes later must take another flight. */
  constructor(end: () => void) {
    this.#end = end;
  }

  get phase(): FlightPhase {
    return this.#phase;
  }

  enter(): void {
    this.#passengers++;
  }

  /** Must follow each `join`, whether the work was needed or not. */
  leave(): void {
    this.#passengers--;
    if (this.#passengers === 0) this.#end();
  }

  /**
   * Does the work, unless another has begun to: all get its one value, or its one rejection.
   *
   * @param work - Calls `ending` once it has what it came for.
   */
  run(work: (ending: () => void) => Promise<T>): Promise<T> {
    if (this.#landing === undefined) {
      this.#phase = 'under-way';
      const ending = () => {
        this.#phase = 'ending';
      };
      this.#landing = work(ending).finally(this.#end);
    }
    return this.#landing;
  }
}
