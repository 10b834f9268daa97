import { setImmediate } from "node:timers/promises";
import { SpinError } from "../../dist/core/errors.js";
import { serveWorker } from "../../dist/core/runtime/worker-host.js";

/** A compute worker for tests of the protocol. */
serveWorker({
  double: async (values) => values.map((value) => 2 * value),
  refuse: async () => {
    throw new SpinError("invalid", "nothing to compute", { field: "values", remedy: "give some" });
  },
  break: async () => {
    throw new TypeError("a mistake");
  },
  /** Turns the loop until it is told to stop. */
  endless: async (_, signal) => {
    while (!signal.aborted) await setImmediate();
    throw new SpinError("cancelled", "told to stop");
  },
  crash: async () => {
    globalThis.setImmediate(() => {
      throw new Error("out of order");
    });
    await new Promise(() => undefined);
  },
});
