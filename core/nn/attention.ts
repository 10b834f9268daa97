import * as ops from "../graph/ops/index.js";
import type { Value } from "../graph/value.js";

/**
 * Multi-head attention on projected states (Vaswani et al. 2017, §3.2.2).
 *
 * @param q [B, N, heads·D]
 * @param k [B, M, heads·D]
 * @param v [B, M, heads·D]
 * @param mask [N, M], added to the scores.
 * @returns [B, N, heads·D]
 */
export function multiHeadAttention(q: Value, k: Value, v: Value, heads: number, mask?: Value): Value {
  return ops.attention(q, k, v, heads, 1 / Math.sqrt(q.shape.at(-1)! / heads), mask);
}
