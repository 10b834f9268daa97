import * as ops from "../graph/ops/index.js";
import type { Value } from "../graph/value.js";

/**
 * Multi-head attention on projected states (Vaswani et al. 2017, §3.2.2).
 *
 * @param q [B, N, heads·D]
 * @param k [B, M, heads·D]
 * @param v [B, M, heads·D]
 * @param mask added to the scores, broadcastable to [B, heads, N, M].
 * @returns [B, N, heads·D]
 */
export function multiHeadAttention(q: Value, k: Value, v: Value, heads: number, mask?: Value): Value {
  const [batch, n, width] = q.shape as [number, number, number];
  const split = (x: Value) => ops.transpose(ops.reshape(x, [batch, x.shape[1]!, heads, width / heads]), [0, 2, 1, 3]);
  const out = ops.attention(split(q), split(k), split(v), 1 / Math.sqrt(width / heads), mask);
  return ops.reshape(ops.transpose(out, [0, 2, 1, 3]), [batch, n, width]);
}
