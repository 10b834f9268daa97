import { SpinError } from "../../core/errors.js";
import type { RpcChannel } from "../../core/service/client.js";
import { abortable, sleep } from "../../core/service/deadline.js";
import { asSpinError } from "../../core/service/error-table.js";
import { formatSeconds } from "../progress.js";

export interface PatienceOptions {
  /** How long a service may be gone. */
  readonly seconds: number;
  /** Told when it is gone, and when it is back. */
  readonly onLine: (line: string) => void;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
}

/** Between two attempts, so that a service that is shutting down is not asked without end. */
const PAUSE_MS = 500;
/** One look whether the service answers. */
const LOOK_MS = 5_000;

/** Outlasts a service's absence: one that is restarted at its address is found again. */
export class Patience {
  readonly #service: RpcChannel;
  readonly #options: PatienceOptions;
  /** When it was missed first; undefined while it answers. */
  #missed: number | undefined;

  constructor(service: RpcChannel, options: PatienceOptions) {
    this.#service = service;
    this.#options = options;
  }

  /** Does what may be done again, again and again while the service is gone. @throws SpinError as `outlast`, and what the work throws */
  async around<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const result = await work();
        this.answered();
        return result;
      } catch (error) {
        await this.outlast(error);
      }
    }
  }

  /** Notes that the service has answered. */
  answered(): void {
    if (this.#missed !== undefined) this.#options.onLine(`${this.#service.address} is back`);
    this.#missed = undefined;
  }

  /**
   * Waits until the service that has failed so may be asked again.
   * @throws the failure, where it is not that the service is gone, or once that has lasted too long
   */
  async outlast(failure: unknown): Promise<void> {
    const { address } = this.#service;
    const { seconds, onLine, signal } = this.#options;
    const error = asSpinError(failure);
    // Without anybody having cancelled: a stream that has been open for a day.
    if (!["unavailable", "cancelled"].includes(error.kind) || signal.aborted) throw failure;
    if (this.#missed === undefined) {
      this.#missed = performance.now();
      if (seconds > 0) onLine(`${address} is gone (${error.message}): waiting up to ${formatSeconds(seconds)} for it`);
    }
    const left = 1000 * seconds - (performance.now() - this.#missed);
    if (left <= 0) {
      throw new SpinError("unavailable", `${address} has been gone for ${formatSeconds(seconds)}: ${error.message}`, {
        cause: failure,
        remedy: "start it again; the same command then finds what it was at, or --patience waits longer",
      });
    }
    await sleep(Math.min(PAUSE_MS, left), signal);
    const look = this.#service.waitForReady(Math.min(LOOK_MS, left));
    await abortable(look, signal).catch((missing: unknown) => {
      if (signal.aborted) throw missing; // Otherwise the next attempt finds out.
    });
  }
}
