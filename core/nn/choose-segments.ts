import { SpinError } from "../errors.js";
import type { EmittedModel } from "../graph/onnx.js";

/** Parts of the forward pass that are tried; past the last the parts' borders take more than is saved. */
const COUNTS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
const MIB = 2 ** 20;

/**
 * The training graph that computes least anew among those that fit a budget, by an estimate of its values' memory.
 *
 * @param write makes the graph with so many parts, each computed anew in the backward pass but the last.
 * @param otherBytes what is needed beside the graph's values.
 * @param budgetMb MiB for both; without, nothing is computed anew.
 * @throws SpinError "invalid" with the least budget that would do, where none fits
 */
export function chooseSegments(write: (segments: number) => EmittedModel, otherBytes: number, budgetMb?: number) {
  if (budgetMb === undefined) return { model: write(1), segments: 1 };
  let least = Number.POSITIVE_INFINITY;
  for (const segments of COUNTS) {
    const model = write(segments);
    const neededMb = Math.ceil((model.peakBytes + otherBytes) / MIB);
    if (neededMb <= budgetMb) return { model, segments };
    least = Math.min(least, neededMb);
  }
  throw new SpinError("invalid", `training does not fit into ${budgetMb} MiB, by estimate`, {
    field: "memory_budget_mb",
    remedy: `allow ${least} MiB, or make micro-batches smaller`,
  });
}
