import { SpinError } from "../errors.js";

/** Time that a unary call may take where the caller sets none, in milliseconds. */
export const DEFAULT_UNARY_TIMEOUT_MS = 30_000;

/** Time that a stream may be open, in milliseconds: longer work goes on, and its watchers call again. */
export const DEFAULT_STREAM_TIMEOUT_MS = 24 * 3_600_000;

/** Time that a caller may leave a message of a stream unread, in milliseconds: an evaluator scores a batch between two. */
export const DEFAULT_STALL_TIMEOUT_MS = 3_600_000;

/** Time until a call's request must be there, in milliseconds. */
export const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;

/** The error of a signal that was aborted: `cancelled`, whoever gave up and why. */
export function abortError(signal: AbortSignal): SpinError {
  const reason: unknown = signal.reason;
  if (reason instanceof SpinError) return reason;
  const message = isTimeout(reason) ? reason.message : "the caller gave up";
  return new SpinError("cancelled", message, { cause: reason });
}

/**
 * Whether an abort's reason is that time was over: as AbortSignal.timeout has it, a DOMException, and as Deadline has
 * it.
 */
export function isTimeout(reason: unknown): reason is Error {
  return typeof reason === "object" && reason !== null && "name" in reason && reason.name === "TimeoutError";
}

/** @throws SpinError once the signal was aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** The promise's result, or the signal's error if that comes first. The work itself is not stopped by this. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.catch(() => undefined); // Nobody will look at it any more.
    return Promise.reject(abortError(signal));
  }
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortError(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** A wait that ends early, with the signal's error, when the signal is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError(signal));
    const onAbort = () => {
      clearTimeout(timer);
      reject(abortError(signal!));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Ends a piece of work: by its owner, by a parent signal, or when its time is over. An AbortSignal.any on a signal that
 * lives as long as the process would keep every call's signal alive; this lets go of the parent when disposed.
 */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #parent: AbortSignal | undefined;
  readonly #onParentAbort = () => this.abort(this.#parent?.reason);

  /** @param timeoutMs Infinity: no limit. */
  constructor(timeoutMs: number, parent?: AbortSignal) {
    this.#parent = parent;
    if (parent?.aborted) this.abort(parent.reason);
    else {
      parent?.addEventListener("abort", this.#onParentAbort, { once: true });
      this.#timer = Number.isFinite(timeoutMs) ? this.#abortAfter(timeoutMs) : undefined;
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason?: unknown): void {
    this.dispose();
    this.#controller.abort(reason);
  }

  #abortAfter(timeoutMs: number): NodeJS.Timeout {
    const ms = Math.max(0, Math.min(timeoutMs, 2 ** 31 - 1)); // setTimeout takes a longer delay for none.
    const reason = new DOMException(`not done within ${Math.round(ms) / 1000} s`, "TimeoutError");
    return setTimeout(() => this.abort(reason), ms);
  }

  /** Lets go of timer and parent; the signal is never aborted by them afterwards. */
  dispose(): void {
    clearTimeout(this.#timer);
    this.#parent?.removeEventListener("abort", this.#onParentAbort);
  }
}
