import { SpinError } from "../errors.js";
import type { GradientOptions } from "../graph/gradient.js";
import type { EmittedModel } from "../graph/onnx.js";

/**
 * What is computed anew in the backward pass, as it is tried: nothing, what is cheap (some hundredths of a step's time), then more and
 * more parts of the forward pass (a third of it or so). Past the last the parts' borders take more than is saved.
 */
const PLANS: readonly GradientOptions[] = [
  {},
  { cheapAnew: true },
  ...[2, 3, 4, 6, 8, 12, 16, 24, 32].map((segments) => ({ segments })),
];
const MIB = 2 ** 20;

/**
 * The training graph that computes least anew among those that fit a budget, by an estimate of its values' memory.
 *
 * @param write makes the graph that computes so much anew.
 * @param otherBytes what is needed beside the graph's values.
 * @param budgetMb MiB for both; without, nothing is computed anew.
 * @throws SpinError "invalid" with the least budget that would do, where none fits
 */
export function chooseSegments(
  write: (anew: GradientOptions) => EmittedModel,
  otherBytes: number,
  budgetMb?: number,
): GradientOptions & { readonly model: EmittedModel } {
  if (budgetMb === undefined) return { model: write({}) };
  let least = Number.POSITIVE_INFINITY;
  for (const plan of PLANS) {
    const model = write(plan);
    const neededMb = Math.ceil((model.peakBytes + otherBytes) / MIB);
    if (neededMb <= budgetMb) return { ...plan, model };
    least = Math.min(least, neededMb);
  }
  throw new SpinError("invalid", `training does not fit into ${budgetMb} MiB, by estimate`, {
    field: "memory_budget_mb",
    remedy: `allow ${least} MiB, or make micro-batches smaller`,
  });
}
