import { parentPort } from "node:worker_threads";
import { SpinError } from "../errors.js";
import type { WorkerMethods, WorkerRequest, WorkerResponse } from "./worker-protocol.js";

/**
 * Answers calls from the main thread, one after another, in the order in which they came. Runs in a worker thread.
 * ArrayBuffers in what a method returns are handed over, not copied: a method returns arrays that it does not keep.
 */
export function serveWorker(methods: WorkerMethods): void {
  if (parentPort === null) throw new SpinError("internal", "serveWorker runs in worker threads only");
  const port = parentPort;
  const pending = new Map<number, AbortController>();
  let queue: Promise<void> = Promise.resolve();

  port.on("message", (request: WorkerRequest) => {
    if (request.type === "cancel") {
      pending.get(request.id)?.abort();
      return;
    }
    const controller = new AbortController();
    pending.set(request.id, controller);
    queue = queue.then(async () => {
      const response = await answerCall(methods, request.method, request.argument, controller.signal);
      pending.delete(request.id);
      port.postMessage({ ...response, id: request.id }, buffersIn(response.value));
    });
  });
}

/** Calls a method and tells what came of it, in a form that crosses to another thread or process. */
export async function answerCall(
  methods: WorkerMethods,
  method: string,
  argument: unknown,
  signal: AbortSignal,
): Promise<Omit<WorkerResponse, "id">> {
  const startTime = performance.timeOrigin + performance.now();
  const end = () => ({ startTime, endTime: performance.timeOrigin + performance.now() });
  try {
    if (signal.aborted) throw cancelled(method);
    const value = await methods[method]!(argument, signal);
    return { ...end(), value };
  } catch (error) {
    return { ...end(), error: describe(error) };
  }
}

function describe(error: unknown): NonNullable<WorkerResponse["error"]> {
  if (error instanceof SpinError) {
    // The message has the remedy in it already, and a cause may not survive the crossing.
    const { cause: _cause, remedy: _remedy, ...details } = error.details;
    return { kind: error.kind, message: error.message, details };
  }
  return {
    kind: "internal",
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    details: {},
  };
}

/** The error for work given up because nobody waits for it any more. */
export function cancelled(what: string): SpinError {
  return new SpinError("cancelled", `${what} was cancelled`);
}

/** Buffers of all typed arrays in a value; those that are only part of a buffer are copied by the crossing instead. */
export function buffersIn(value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const visit = (part: unknown): void => {
    if (ArrayBuffer.isView(part)) {
      const { buffer, byteLength } = part;
      if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength && !(part instanceof Buffer))
        found.add(buffer);
    } else if (Array.isArray(part)) {
      part.forEach(visit);
    } else if (typeof part === "object" && part !== null) {
      Object.values(part).forEach(visit);
    }
  };
  visit(value);
  return [...found];
}
