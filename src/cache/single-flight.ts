/** Lets callers that want the same thing at the same time share one run of the work. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  /**
   * Joins the run under way for `key`, or starts one with `work`. All who joined get the same
   * value or the same rejection; the next caller after it has settled starts anew.
   */
  run(key: string, work: () => Promise<T>): Promise<T> {
    const flying = this.#flights.get(key);
    if (flying !== undefined) return flying;
    const flight = work().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }
}
