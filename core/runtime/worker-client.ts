import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { SpinError } from "../errors.js";
import { buffersIn, cancelled } from "./worker-host.js";
import type { WorkerMethods, WorkerRequest, WorkerResponse } from "./worker-protocol.js";

interface CallOptions {
  /** Gives the call up: at once while it waits, between two runs of the graph once it computes. */
  readonly signal?: AbortSignal;
  /** Hands the argument's buffers over instead of copying them. */
  readonly transfer?: boolean;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly method: string;
  /** The caller's, so that the worker's span has its parent. */
  readonly context: ReturnType<typeof context.active>;
}

type Argument<M extends WorkerMethods, K extends keyof M> = Parameters<M[K]>[0];
type Result<M extends WorkerMethods, K extends keyof M> = Awaited<ReturnType<M[K]>>;

/**
 * A compute worker as seen from the main thread. onnxruntime-node blocks the thread it runs on; in a worker that is
 * nobody's event loop. Each call becomes a span with the times at which the worker computed.
 */
export class WorkerClient<M extends WorkerMethods> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  /** Resolves when the worker ends by itself; every call fails from then on. */
  readonly failed: Promise<SpinError>;
  #next = 0;
  #failure: SpinError | undefined;

  /** @param entry the worker's module, as `new URL("./compute-worker.js", import.meta.url)`. */
  constructor(entry: URL) {
    this.#worker = new Worker(compiled(entry));
    this.#worker.on("message", (response: WorkerResponse) => this.#settle(response));
    this.failed = new Promise((resolve) => {
      const fail = (message: string, cause?: unknown): void => {
        if (this.#failure === undefined) resolve(this.#fail(message, cause));
      };
      this.#worker.on("error", (cause) => fail(`the compute worker failed: ${cause.message}`, cause));
      this.#worker.on("exit", (code) => fail(`the compute worker stopped with code ${code}`));
    });
  }

  /** Number of calls not yet answered. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** Calls a method of the worker. @throws what the method throws; SpinError "cancelled" once the signal is aborted. */
  async call<K extends keyof M & string>(
    method: K,
    argument: Argument<M, K>,
    { signal, transfer = false }: CallOptions = {},
  ): Promise<Result<M, K>> {
    if (this.#failure !== undefined) throw this.#failure;
    if (signal?.aborted) throw cancelled(method);
    const id = this.#next++;
    const cancel = () => this.#post({ type: "cancel", id });
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      const result = new Promise<unknown>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject, method, context: context.active() });
      });
      this.#post({ type: "call", id, method, argument }, transfer ? buffersIn(argument) : []);
      return (await result) as Result<M, K>;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /**
   * Stops the worker once the call in progress has ended: a thread that is terminated inside onnxruntime takes the
   * process with it.
   */
  async stop(): Promise<void> {
    for (const id of this.#waiting.keys()) this.#post({ type: "cancel", id });
    while (this.#waiting.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    this.#failure ??= new SpinError("unavailable", "the compute worker was stopped");
    await this.#worker.terminate();
  }

  #post(request: WorkerRequest, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  #settle(response: WorkerResponse): void {
    const waiting = this.#waiting.get(response.id);
    if (waiting === undefined) return;
    this.#waiting.delete(response.id);
    const options = { startTime: response.startTime };
    const span = trace.getTracer("spin").startSpan(`worker ${waiting.method}`, options, waiting.context);
    if (response.error === undefined) {
      waiting.resolve(response.value);
    } else {
      const { kind, message, details } = response.error;
      span.setStatus({ code: SpanStatusCode.ERROR, message });
      waiting.reject(new SpinError(kind, message, details));
    }
    span.end(response.endTime);
  }

  #fail(message: string, cause: unknown): SpinError {
    const failure = new SpinError("internal", message, { cause, remedy: "restart the service" });
    this.#failure = failure;
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
    return failure;
  }
}

/** The module that a thread or process is started with: these do not go through a test runner's compiler: from sources, it is the built one. */
export function compiled(entry: URL): URL {
  const path = fileURLToPath(entry);
  if (existsSync(path)) return entry;
  const root = fileURLToPath(new URL("../../", import.meta.url));
  return pathToFileURL(`${root}dist/${path.slice(root.length)}`);
}
