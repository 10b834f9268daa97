/** How far an evaluation is, and how long the rest will take at the pace since this process took it up. */
export class Pace {
  readonly #total: number;
  readonly #now: () => number;
  #done = 0;
  /** When the first picture of this process was done, and how many were by then: loading before it says nothing of the pace. */
  #first: { readonly time: number; readonly done: number } | undefined;

  /** @param total pictures in all; @param now milliseconds */
  constructor(total: number, now: () => number = () => performance.now()) {
    this.#total = total;
    this.#now = now;
  }

  /** Pictures that an earlier process has done. */
  skip(count: number): void {
    this.#done += count;
    if (this.#first !== undefined) this.#first = { ...this.#first, done: this.#first.done + count };
  }

  /** Pictures done now, or the part of them that was done. @returns the whole evaluation's progress, as the contract tells it */
  add(count: number): { allImagesDone: number; allImagesTotal: number; secondsLeft: number | undefined } {
    this.#done += count;
    const time = this.#now();
    this.#first ??= { time, done: this.#done };
    const measured = this.#done - this.#first.done;
    const pace = (time - this.#first.time) / 1000 / measured; // seconds a picture
    const secondsLeft = measured === 0 ? undefined : pace * (this.#total - this.#done);
    // Counts may come in parts of pictures, whose sum rounds.
    return { allImagesDone: Math.round(this.#done), allImagesTotal: this.#total, secondsLeft };
  }
}
