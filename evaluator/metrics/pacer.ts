import { setImmediate } from "node:timers/promises";

/** Waits for a turn of the event loop if the present one has run long enough; otherwise goes on at once. */
export type Pacer = () => Promise<void>;

/**
 * Long sums call the pacer between slices, so that health checks and keepalive are answered meanwhile.
 * @param budgetMs milliseconds of computation between two turns of the event loop.
 */
export function createPacer(budgetMs = 20): Pacer {
  let turnBegan = performance.now();
  return async () => {
    if (performance.now() - turnBegan < budgetMs) return;
    await setImmediate();
    turnBegan = performance.now();
  };
}
