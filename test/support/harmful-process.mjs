import { serveProcess } from "../../dist/core/runtime/process-host.js";

/** A process that does what damaged files make a reader do. */
serveProcess({
  double: async (values) => values.map((value) => 2 * value),
  spin: async () => {
    for (;;);
  },
  /** Takes longer than any silence, but turns the loop: as waiting for a disk does. */
  wait: (ms) => new Promise((resolve) => setTimeout(() => resolve("done"), ms)),
  eat: async () => {
    const eaten = [];
    for (let i = 0; i < 2 ** 31; i++) eaten[i] = 0;
  },
  leave: async () => process.exit(3),
  mistake: async () => {
    throw new TypeError("a mistake");
  },
});
