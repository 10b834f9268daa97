import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";

/**
 * Supervised fine-tuning on the real side, L = E[e], e = ‖ε − ε_θ‖² (L_simple, equation 14 of Ho et al. 2020).
 *
 * @param real e, [B]
 * @returns scalar
 */
export const sft = (real: Value): Value => ops.mean(real);
