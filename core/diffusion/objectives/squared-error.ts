import * as ops from "../../graph/ops/index.js";
import type { Value } from "../../graph/value.js";

/**
 * e = ‖target − prediction‖² of each sample, averaged over C, H, W: what every objective is a function of. Where an objective
 * sums instead, its weight is C·H·W times as much.
 *
 * @param target ε* or v* [B, C, H, W]
 * @param prediction the model's output [B, C, H, W]
 * @returns [B]
 */
export function squaredError(target: Value, prediction: Value): Value {
  const squares = ops.square(ops.sub(target, prediction));
  return ops.reshape(ops.reduceMean(squares, [1, 2, 3]), [target.shape[0]!]);
}
