import { isSaturated, LOGISTIC, type MarginLoss } from "../core/diffusion/objectives/margin-loss.js";
import { SpinError } from "../core/errors.js";
import type { StepMetrics } from "../proto/gen/spin/v1/training.js";
import type { MicroBatchResult } from "./compute/learner.js";
import type { References } from "./draws/micro-batches.js";

/** The figures of a step that come from its draws. */
export type DrawFigures = Pick<
  StepMetrics,
  | "loss"
  | "margin"
  | "implicitAccuracy"
  | "realError"
  | "syntheticError"
  | "realErrorChange"
  | "syntheticErrorChange"
  | "saturatedShare"
>;

/** Means over a step's draws, micro-batch by micro-batch. All micro-batches are of one size. */
export class StepFigures {
  readonly #sums: DrawFigures = {
    loss: 0,
    margin: 0,
    implicitAccuracy: 0,
    realError: 0,
    syntheticError: 0,
    realErrorChange: 0,
    syntheticErrorChange: 0,
    saturatedShare: 0,
  };
  readonly #lossOfMargin: MarginLoss;
  #count = 0;

  /** @param lossOfMargin what the objective makes of a margin */
  constructor(lossOfMargin: MarginLoss = LOGISTIC) {
    this.#lossOfMargin = lossOfMargin;
  }

  /** @throws SpinError "diverged" where the loss is not finite */
  add(result: MicroBatchResult, references: References | undefined): void {
    if (!Number.isFinite(result.loss)) {
      const remedy = "lower the learning rate or the objective's weight";
      throw new SpinError("diverged", `the loss is ${result.loss}`, { remedy });
    }
    this.#count += 1;
    const sums = this.#sums;
    sums.loss += result.loss;
    sums.realError += mean(result.realError);
    const { syntheticError, inside } = result;
    if (references === undefined || syntheticError === undefined || inside === undefined) return;
    sums.margin += mean(inside);
    sums.implicitAccuracy += mean(inside.map((margin) => (margin > 0 ? 1 : margin < 0 ? 0 : 0.5)));
    sums.saturatedShare += mean(inside.map((margin) => (isSaturated(this.#lossOfMargin, margin) ? 1 : 0)));
    sums.syntheticError += mean(syntheticError);
    sums.realErrorChange += mean(result.realError.map((error, i) => error - references.real[i]!));
    sums.syntheticErrorChange += mean(syntheticError.map((error, i) => error - references.synthetic[i]!));
  }

  means(): DrawFigures {
    const entries = Object.entries(this.#sums).map(([name, sum]) => [name, sum / this.#count]);
    return Object.fromEntries(entries) as DrawFigures;
  }
}

function mean(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
