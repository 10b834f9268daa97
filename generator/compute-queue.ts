import { SpinError } from "../core/errors.js";
import { abortError } from "../core/service/deadline.js";

/** Assumed before the first batch has been measured, in seconds. */
const FIRST_GUESS_SECONDS = 5;
/** Weight of the newest batch in the running mean of what a batch takes. */
const NEWEST = 0.3;

/** A stream's place in the queue; it has at most one batch waiting or computed at a time. */
export interface Place {
  /**
   * Runs a batch when its turn comes, after all batches that were waiting before.
   * @throws SpinError `cancelled` once the signal is aborted, at once while it waits
   */
  run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /** Gives the place up. */
  leave(): void;
}

/**
 * One batch is computed at a time, first come, first served; streams take turns, since each comes back with its next batch. A bounded number of
 * streams is let in, so that no more batches than that can wait.
 */
export class ComputeQueue {
  readonly capacity: number;
  #places = 0;
  #waiting = 0;
  #active = 0;
  #idleMs = 0;
  #idleSince = performance.now();
  #meanSeconds = FIRST_GUESS_SECONDS;
  #last: Promise<unknown> = Promise.resolve();

  /** @param capacity 1 or more */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Batches waiting. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Streams being served. */
  get streams(): number {
    return this.#places;
  }

  /** Seconds since the start in which there was no batch to compute. */
  get idleSeconds(): number {
    const idle = this.#active > 0 ? 0 : performance.now() - this.#idleSince;
    return (this.#idleMs + idle) / 1000;
  }

  /** Batches being computed, 0 or 1. */
  get active(): number {
    return this.#active;
  }

  /** Takes a place. @throws SpinError `exhausted`, with the time after which to try again, when none is free */
  enter(): Place {
    if (this.#places >= this.capacity) {
      throw new SpinError("exhausted", `the queue is full: ${this.capacity} streams are being served`, {
        remedy: "try again later, or ask another generator",
        retryAfterSeconds: Math.max(1, Math.ceil(this.#meanSeconds * (this.#waiting + this.#active))),
      });
    }
    this.#places += 1;
    let isHeld = true;
    return {
      run: (signal, work) => this.#run(signal, work),
      leave: () => {
        if (isHeld) this.#places -= 1;
        isHeld = false;
      },
    };
  }

  #run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortError(signal));
      let isWaiting = true;
      this.#waiting += 1;
      const stopWaiting = () => {
        isWaiting = false;
        this.#waiting -= 1;
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        stopWaiting();
        reject(abortError(signal));
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#last = this.#last.then(async () => {
        if (!isWaiting) return;
        stopWaiting();
        await this.#timed(work).then(resolve, reject);
      });
    });
  }

  async #timed<T>(work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    this.#idleMs += start - this.#idleSince;
    this.#active += 1;
    try {
      const result = await work();
      this.#meanSeconds += NEWEST * ((performance.now() - start) / 1000 - this.#meanSeconds);
      return result;
    } finally {
      this.#active -= 1;
      this.#idleSince = performance.now();
    }
  }
}
