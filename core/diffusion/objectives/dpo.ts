import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";
import { LOGISTIC, type MarginLoss, marginLoss } from "./margin-loss.js";
import type { PairErrors, PairLoss } from "./pair-errors.js";
import { renoisedMargin } from "./spin-renoised.js";

/**
 * Diffusion-DPO, equation 14 of Wallace et al. 2023 (arXiv 2311.12908): L = E[−log σ(−½ β [(e_w − e_l) − (e_w,ref − e_l,ref)])]
 * on preference pairs; the winner stands on the real side, the loser on the synthetic one. Other losses of the same margin on demand.
 *
 * @param weight ½ β, [B] (see `renoisedWeight`).
 */
export function diffusionDpo(errors: PairErrors, weight: Value, loss: MarginLoss = LOGISTIC): PairLoss {
  const inside = renoisedMargin(errors, weight);
  return { loss: ops.mean(marginLoss(loss, inside)), inside };
}
