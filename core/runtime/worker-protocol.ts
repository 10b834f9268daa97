import type { ErrorDetails, ErrorKind } from "../errors.js";

/** Calls a worker answers: each takes one structured-cloneable argument and a signal that is checked between runs. */
// biome-ignore lint/suspicious/noExplicitAny: each method's argument is typed by the worker's own interface.
export type WorkerMethods = Readonly<Record<string, (argument: any, signal: AbortSignal) => Promise<unknown>>>;

/** What the main thread sends. */
export type WorkerRequest =
  | { readonly type: "call"; readonly id: number; readonly method: string; readonly argument: unknown }
  | { readonly type: "cancel"; readonly id: number };

/** What the worker answers: the value or the error, and when it computed, in milliseconds since the epoch. */
export interface WorkerResponse {
  readonly id: number;
  readonly startTime: number;
  readonly endTime: number;
  readonly value?: unknown;
  readonly error?: { readonly kind: ErrorKind; readonly message: string; readonly details: ErrorDetails };
}

/** What a process answers: as a worker, and signs of life while it is at it. */
export type ProcessMessage = WorkerResponse | { readonly alive: true };
