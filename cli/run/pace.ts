/**
 * How long the rest of a run will take, from when its steps were done: times come from the trainer, so that a run watched again
 * from its beginning tells its true pace.
 */
export class Pace {
  readonly #total: number;
  #first: number | undefined;
  #steps = 0;

  /** @param total steps of the whole run */
  constructor(total: number) {
    this.#total = total;
  }

  /**
   * Notes that one more step was done.
   * @param seconds when, by any clock that all steps share
   * @returns seconds that the steps left will take; undefined where one step alone does not tell
   */
  step(seconds: number): number | undefined {
    this.#steps += 1;
    if (this.#first === undefined) {
      this.#first = seconds;
      return undefined;
    }
    const each = (seconds - this.#first) / (this.#steps - 1);
    return each * (this.#total - this.#steps);
  }
}
