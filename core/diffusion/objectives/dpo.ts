import type { Value } from "../../graph/value.js";
import type { PairErrors, PairLoss } from "./pair-errors.js";
import { spinRenoised } from "./spin-renoised.js";

/**
 * Diffusion-DPO, equation 14 of Wallace et al. 2023 (arXiv 2311.12908): L = E[−log σ(−½ β [(e_w − e_l) − (e_w,ref − e_l,ref)])]
 * on preference pairs; the winner stands on the real side, the loser on the synthetic one.
 *
 * @param weight ½ β, [B] (see `renoisedWeight`).
 */
export const diffusionDpo = (errors: PairErrors, weight: Value): PairLoss => spinRenoised(errors, weight);
