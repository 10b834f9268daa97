import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { joinFloats } from "../../join-floats.js";
import type { Feeds, Outputs } from "../../nn/training.js";
import { LOGISTIC, marginLossOf, marginSlope } from "./margin-loss.js";
import type { PairErrors, PairLoss } from "./pair-errors.js";
import { spinMargin } from "./spin-approximate.js";

/**
 * SPIN-Diffusion, equation 4.8 (arXiv 2402.10210): L = E[ℓ(−Σ_t w_t A_t)], w_t = λ / (2 σ_t²), over whole trajectories, as the second of
 * two passes has it. The first, {@link trajectoryMargins}, finds each trajectory's margin z = −Σ_t w_t A_t without a gradient; then
 * ∂L/∂θ = E[σ(−z) Σ_t w_t ∂A_t/∂θ] is that of a sum over single draws, in which σ(−z) is a constant. So however many steps there are,
 * no more draws go through the graph at once than its micro-batch holds.
 *
 * With β_t = T w_t, as {@link import("./spin-approximate.js").spinWeight} gives it, a trajectory's margin is the mean of −β_t A_t over its T
 * draws, and the loss below has equation 4.8's gradient where all draws of all trajectories are averaged.
 *
 * @param weight β_t κ_t² of each draw, [B]
 * @param coefficient σ(−z) of each draw's trajectory, [B]
 * @returns −mean(σ(−z) · (−β_t A_t)), whose gradient alone means something, and −β_t A_t of each draw
 */
export function spinExact(errors: PairErrors, weight: Value, coefficient: Value): PairLoss {
  const inside = spinMargin(errors, weight);
  return { loss: ops.neg(ops.mean(ops.mul(coefficient, inside))), inside };
}

/**
 * z of each trajectory: the mean of its draws' −β_t A_t, summed in double precision.
 *
 * @param inside −β_t A_t, [N · T], the draws of one trajectory one behind another
 * @param numSteps T
 * @returns [N]
 */
export function trajectoryMargins(inside: Float32Array, numSteps: number): Float32Array {
  return Float32Array.from({ length: inside.length / numSteps }, (_, n) => {
    let sum = 0;
    for (let t = 0; t < numSteps; t++) sum += inside[n * numSteps + t]!;
    return sum / numSteps;
  });
}

/** What equation 4.8 needs of a training graph. */
export interface TwoPassTraining {
  /** Outputs without gradients. */
  evaluate(feeds: Feeds): Promise<Outputs>;
  /** Adds gradients to the step's. */
  add(feeds: Feeds): Promise<unknown>;
}

/** Of N whole trajectories. */
export interface TrajectoriesResult {
  /** ℓ(z), mean over them. */
  readonly loss: number;
  /** z, [N]. */
  readonly inside: Float32Array;
  /** e of each draw, [N · T], as the next. */
  readonly realError: Float32Array;
  readonly syntheticError: Float32Array;
}

/**
 * Adds the gradient of whole trajectories to a step: both passes over their draws.
 *
 * @param microBatches N · T draws, trajectory by trajectory, in the graph's micro-batches; without `coefficient`
 * @param numSteps T
 * @param proceed called before each run of a graph; what it throws ends the work
 */
export async function addTrajectories(
  training: TwoPassTraining,
  microBatches: readonly Feeds[],
  numSteps: number,
  proceed: () => void = () => undefined,
): Promise<TrajectoriesResult> {
  const outputs: Outputs[] = [];
  for (const feeds of microBatches) {
    proceed();
    outputs.push(await training.evaluate(feeds));
  }
  const joined = (name: string) => joinFloats(outputs.map((one) => one[name]!));
  const margins = trajectoryMargins(joined("inside"), numSteps);
  const slopes = margins.map((margin) => -marginSlope(LOGISTIC, margin));
  let row = 0;
  for (const [i, feeds] of microBatches.entries()) {
    proceed();
    const size = outputs[i]!.inside!.length;
    const coefficient = Float32Array.from({ length: size }, (_, j) => slopes[Math.floor((row + j) / numSteps)]!);
    await training.add({ ...feeds, coefficient });
    row += size;
  }
  const losses = Array.from(margins, (margin) => marginLossOf(LOGISTIC, margin));
  return {
    loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
    inside: margins,
    realError: joined("real_error"),
    syntheticError: joined("synthetic_error"),
  };
}

/** Micro-batches that whole trajectories fill without a rest: the fewest. */
export function microBatchesPerGroup(microBatchSize: number, numSteps: number): number {
  return numSteps / greatestCommonDivisor(microBatchSize, numSteps);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
