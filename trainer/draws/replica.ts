import type { SpinError } from "../../core/errors.js";
import type { RpcChannel } from "../../core/service/client.js";

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 10_000;

/**
 * Kinds of errors that another attempt would not change: the replica lacks what the spec asks for, or will not have it. One alone may be the
 * way's doing, which changed a byte of the request or of the status.
 */
const LASTING: ReadonlySet<SpinError["kind"]> = new Set(["invalid", "notFound", "precondition", "exhausted"]);

/** What is to be done about a replica whose call failed: wait and ask again, or ask it no more. */
export type Consequence = { readonly waitMs: number; readonly isBusy: boolean } | "setAside";

/** A generator as one iteration sees it. */
export class Replica {
  readonly channel: RpcChannel;
  /** Whether it has only failed since its last success. */
  #isFailing: boolean = false;
  #backoffMs = FIRST_BACKOFF_MS;
  /** Refusals that seem to last, since its last success. */
  #refusals = 0;
  #lastError: SpinError | undefined;
  #isSetAside: boolean = false;

  constructor(channel: RpcChannel) {
    this.channel = channel;
  }

  /** Whether it is asked nothing more in this iteration. */
  get isSetAside(): boolean {
    return this.#isSetAside;
  }

  get isUseful(): boolean {
    return !this.#isSetAside && !this.#isFailing;
  }

  get lastError(): SpinError | undefined {
    return this.#lastError;
  }

  /** Its address, and why it is of no use. */
  get reason(): string {
    const { address } = this.channel;
    const reason = this.#lastError?.message ?? "no answer";
    return reason.startsWith(address) ? reason : `${address}: ${reason}`; // A lost connection's error names it.
  }

  /** It has delivered what was asked. */
  succeed(): void {
    this.#isFailing = false;
    this.#backoffMs = FIRST_BACKOFF_MS;
    this.#refusals = 0;
  }

  /** A call has failed. */
  fail(error: SpinError): Consequence {
    this.#lastError = error;
    const { retryAfterSeconds } = error.details;
    if (error.kind === "exhausted" && retryAfterSeconds !== undefined) {
      this.#isFailing = false; // It is busy, and so it is alive.
      return { waitMs: retryAfterSeconds * 1000, isBusy: true };
    }
    if (LASTING.has(error.kind) && ++this.#refusals > 1) return "setAside";
    this.#isFailing = true;
    this.#backoffMs = Math.min(2 * this.#backoffMs, MAX_BACKOFF_MS);
    return { waitMs: this.#backoffMs, isBusy: false };
  }

  setAside(error: SpinError): void {
    this.#isSetAside = true;
    this.#lastError = error;
  }
}
