import { abortable } from "../core/service/deadline.js";

/** Numbered entries that any number of readers follow from wherever they want; numbers begin at 1, without gaps. */
export class EventLog<T> {
  readonly #entries: T[];
  #ended: boolean;
  /** Resolved and replaced whenever something changes. */
  #change: { readonly promise: Promise<void>; readonly resolve: () => void } = openPromise();

  /** @param entries those that were there before; @param ended whether none will follow. */
  constructor(entries: readonly T[] = [], ended = false) {
    this.#entries = [...entries];
    this.#ended = ended;
  }

  /** Number of the next entry. */
  get nextSequence(): number {
    return this.#entries.length + 1;
  }

  append(entry: T): void {
    this.#entries.push(entry);
    this.#changed();
  }

  /** Lets readers go once they have read everything. */
  end(): void {
    this.#ended = true;
    this.#changed();
  }

  /** Lets more entries follow after an end. */
  reopen(): void {
    this.#ended = false;
  }

  /**
   * Entries numbered above `after`, then those to come, until the end. @throws SpinError once the signal is aborted.
   */
  async *follow(after: number, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    for (let next = after; ; next++) {
      while (next >= this.#entries.length) {
        if (this.#ended) return;
        await abortable(this.#change.promise, signal);
      }
      yield this.#entries[next]!;
    }
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = openPromise();
  }
}

function openPromise(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
