/** Lets any number of waiters wait for the next change. */
export class Wakeup {
  #waiters: (() => void)[] = [];

  /** Resolves at the next `wake`. Look whether there is need to wait before the call, and again after it. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}
