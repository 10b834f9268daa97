import { LOGISTIC, type MarginLoss, marginLossOf, marginSlope } from "../core/diffusion/objectives/margin-loss.js";
import { SpinError } from "../core/errors.js";
import type { MicroBatchResult } from "./compute/learner.js";
import type { References } from "./draws/micro-batches.js";

/**
 * Root mean square of the difference that rounding may leave between two computations of one prediction (unit scale): another
 * batch size, another graph. Measured on CPU, float32: at most 1.2e-7, over several jobs of two small models; depth adds to it.
 */
const PREDICTION_ROUNDING = { float32: 3e-6, reduced: 1e-2 } as const;

/** How the generator computes: in full float32, or in float16 or on a GPU that rounds products to fewer bits. */
export type Precision = keyof typeof PREDICTION_ROUNDING;

/**
 * The free check: at the first step of an iteration θ is θ_k, so its errors must be the generator's e_k, every margin 0 and the
 * loss ln 2. With predictions apart by δ (root mean square), |e − e_k| ≤ 2δ√e_k + δ², and a margin is off by that sum over both
 * sides times its weight; the loss by that times its slope there, which for the logistic is a half. Other losses of a margin than the
 * logistic have other values at 0 than ln 2. Stale or wrong weights on either side show at once.
 *
 * @throws SpinError "precondition" naming the draw
 */
export function checkFirstStep(
  result: MicroBatchResult,
  references: References,
  precision: Precision,
  lossOfMargin: MarginLoss = LOGISTIC,
): void {
  const delta = PREDICTION_ROUNDING[precision];
  const tolerance = (reference: number) => 2 * delta * Math.sqrt(reference) + delta * delta + 1e-6 * reference;
  const slope = Math.abs(marginSlope(lossOfMargin, 0));
  let lossTolerance = 0;
  const { syntheticError } = result;
  for (const [i, weight] of references.weight.entries()) {
    const [real, synthetic] = [references.real[i]!, references.synthetic[i]!];
    checkError("real", i, result.realError[i]!, real, tolerance(real));
    checkError("synthetic", i, syntheticError![i]!, synthetic, tolerance(synthetic));
    lossTolerance += (slope * weight * (tolerance(real) + tolerance(synthetic))) / references.weight.length;
  }
  const expected = marginLossOf(lossOfMargin, 0);
  if (Math.abs(result.loss - expected) <= lossTolerance + 1e-6 * Math.max(1, expected)) return;
  const value = lossOfMargin.kind === "sigmoid" ? "ln 2" : String(expected);
  throw staleWeights(`the loss is ${result.loss}, expected ${value} within ${lossTolerance.toExponential(1)}`);
}

function checkError(side: string, draw: number, error: number, reference: number, tolerance: number): void {
  if (Math.abs(error - reference) <= tolerance) return;
  const bounds = `${reference} within ${tolerance.toExponential(1)}`;
  throw staleWeights(`the ${side} error of draw ${draw} is ${error}, the generator's own was ${bounds}`);
}

function staleWeights(finding: string): SpinError {
  const message = `stale or wrong weights, the generator's are not those that the trainer begins with: at the first step ${finding}`;
  return new SpinError("precondition", message, {
    remedy: "empty the generator's cache, and check that it computes the checkpoint that it says",
  });
}
