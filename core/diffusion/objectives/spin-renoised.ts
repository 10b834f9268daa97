import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { LOGISTIC, marginLoss } from "./margin-loss.js";
import type { PairErrors, PairLoss } from "./pair-errors.js";

/**
 * SPIN-Diffusion's re-noised form: equation 14 of Diffusion-DPO (Wallace et al. 2023, arXiv 2311.12908) with the loser replaced
 * by θ_k's own sample: L = E[−log σ(−½ β [(e − e') − (e_k − e'_k)])], one t and one noise for both sides.
 *
 * @param weight ½ β, [B] (see {@link renoisedWeight}).
 */
export function spinRenoised(errors: PairErrors, weight: Value): PairLoss {
  const inside = renoisedMargin(errors, weight);
  return { loss: ops.mean(marginLoss(LOGISTIC, inside)), inside };
}

/** −½ β [(e − e') − (e_k − e'_k)], [B]. */
export function renoisedMargin(errors: PairErrors, weight: Value): Value {
  const model = ops.sub(errors.real, errors.synthetic);
  const reference = ops.sub(errors.realReference, errors.syntheticReference);
  return ops.neg(ops.mul(weight, ops.sub(model, reference)));
}

/** The weight ½ β of every draw: β in the convention of Diffusion-DPO, whose own is 5000. */
export const renoisedWeight = (beta: number): number => beta / 2;
