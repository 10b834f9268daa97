import { Worker } from "node:worker_threads";
import { SpinError } from "../errors.js";
import { answerCall } from "./worker-host.js";
import type { WorkerMethods, WorkerRequest } from "./worker-protocol.js";

/** Between two signs of life. */
const ALIVE_MS = 50;

/**
 * Ends this process once its parent is gone. In a thread, since the process may be busy without end: it would not hear that the channel has closed.
 */
const FOLLOW_PARENT = `
const parent = process.ppid;
setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, "SIGKILL"); }, 1000);
`;

/** Answers the calls of a `GuardedProcess`, one at a time, with signs of life in between. Runs in a process started by one. */
export function serveProcess(methods: WorkerMethods): void {
  const send = process.send?.bind(process);
  if (send === undefined) throw new SpinError("internal", "serveProcess runs in processes of a GuardedProcess only");
  new Worker(FOLLOW_PARENT, { eval: true, stdout: false }).unref();
  send({ alive: true });
  process.on("message", async (request: WorkerRequest) => {
    if (request.type !== "call") return;
    const alive = setInterval(() => send({ alive: true }), ALIVE_MS);
    try {
      const response = await answerCall(methods, request.method, request.argument, new AbortController().signal);
      send({ ...response, id: request.id });
    } finally {
      clearInterval(alive);
    }
  });
}
