import { SpinError } from "../../core/errors.js";
import type { Draws } from "./check-draws.js";

export interface BatchLedgerOptions {
  /** Batch to begin with. */
  readonly firstBatch: number;
  /** Batches in all. */
  readonly numBatches: number;
  /** In milliseconds; any beginning. */
  readonly now?: () => number;
}

/** A replica's task: to deliver a batch. */
export interface Asking<Replica> {
  readonly batch: number;
  readonly replica: Replica;
  readonly askedAt: number;
  /** Whether another one was asked for the batch before, and still is. */
  readonly isSecond: boolean;
  /** Aborted once another replica has delivered the batch. */
  readonly overtaken: AbortController;
}

/** How many times what a batch usually takes one may take before another replica is asked for it too. */
const STRAGGLING = 4;
/** Milliseconds below which nobody straggles: what a pause for rubbish or a lost packet costs. */
const LEAST_STRAGGLING_MS = 1_000;
/** Weight of the newest batch in the running mean of what a batch takes. */
const NEWEST = 0.3;

/**
 * Which batches are wanted, who was asked for each, and what has come. A batch may be asked of several replicas and be delivered more than
 * once: the first delivery counts. Batches are taken out in order, each exactly once.
 */
export class BatchLedger<Replica> {
  readonly #numBatches: number;
  readonly #now: () => number;
  /** First batch that nobody was asked for yet. */
  #fresh: number;
  /** Batch to take next. */
  #next: number;
  /** Given up by whoever was asked. */
  readonly #returned = new Set<number>();
  readonly #asked = new Map<number, Asking<Replica>[]>();
  /** Delivered and not yet taken. */
  readonly #ready = new Map<number, Draws>();
  /** What a batch usually takes, in milliseconds; undefined before the first. */
  #usualMs: number | undefined;

  constructor({ firstBatch, numBatches, now = () => performance.now() }: BatchLedgerOptions) {
    this.#fresh = firstBatch;
    this.#next = firstBatch;
    this.#numBatches = numBatches;
    this.#now = now;
  }

  /** Batches delivered and not yet taken. */
  get ready(): number {
    return this.#ready.size;
  }

  /** Whether all batches have been taken. */
  get isDone(): boolean {
    return this.#next >= this.#numBatches;
  }

  /**
   * Gives a replica the first batch that is wanted and that nobody is asked for, or else the first that another one has been asked for
   * too long ago.
   * @param window batches to have ahead of the one that is taken next
   * @returns undefined where there is nothing to ask for now
   */
  ask(replica: Replica, window: number): Asking<Replica> | undefined {
    const batch = this.#unasked(window) ?? this.#straggling(replica);
    if (batch === undefined) return undefined;
    const others = this.#asked.get(batch) ?? [];
    const overtaken = new AbortController();
    const asking = { batch, replica, askedAt: this.#now(), isSecond: others.length > 0, overtaken };
    this.#asked.set(batch, [...others, asking]);
    return asking;
  }

  /** Takes a delivery. @returns whether it was the first of its batch; a later one is of no use */
  deliver(asking: Asking<Replica>, draws: Draws): boolean {
    const all = this.#asked.get(asking.batch);
    if (!all?.includes(asking)) return false;
    this.#asked.delete(asking.batch);
    this.#ready.set(asking.batch, draws);
    const took = this.#now() - asking.askedAt;
    this.#usualMs = this.#usualMs === undefined ? took : this.#usualMs + NEWEST * (took - this.#usualMs);
    const reason = new SpinError("cancelled", "another generator was faster");
    for (const other of all) if (other !== asking) other.overtaken.abort(reason);
    return true;
  }

  /** Somebody will not deliver: the batch is asked of another, unless it has come or another is asked for it already. */
  giveUp(asking: Asking<Replica>): void {
    const all = this.#asked.get(asking.batch);
    if (!all?.includes(asking)) return;
    const others = all.filter((one) => one !== asking);
    if (others.length > 0) {
      this.#asked.set(asking.batch, others);
    } else {
      this.#asked.delete(asking.batch);
      this.#returned.add(asking.batch);
    }
  }

  /** The next batch in order, once; undefined while it is not there. */
  take(): Draws | undefined {
    const draws = this.#ready.get(this.#next);
    if (draws === undefined) return undefined;
    this.#ready.delete(this.#next);
    this.#next += 1;
    return draws;
  }

  /** Drops what was delivered and not taken. */
  clear(): void {
    this.#ready.clear();
  }

  #unasked(window: number): number | undefined {
    if (this.#returned.size > 0) {
      const first = Math.min(...this.#returned);
      this.#returned.delete(first);
      return first;
    }
    return this.#fresh < Math.min(this.#numBatches, this.#next + window) ? this.#fresh++ : undefined;
  }

  /** A second replica is asked, never a third: were both slow, all would be. */
  #straggling(replica: Replica): number | undefined {
    if (this.#usualMs === undefined) return undefined;
    const patience = Math.max(LEAST_STRAGGLING_MS, STRAGGLING * this.#usualMs);
    const late = [...this.#asked].filter(([, [only, ...others]]) => {
      const isAlone = only !== undefined && others.length === 0;
      return isAlone && only.replica !== replica && this.#now() - only.askedAt > patience;
    });
    return late.length === 0 ? undefined : Math.min(...late.map(([batch]) => batch));
  }
}
