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

/**
 * The same where every row has padding of its own.
 *
 * @param bias added to the scores, [B, 1, 1, M]: a large negative number where a key is padding.
 */
export function paddedAttention(q: Value, k: Value, v: Value, heads: number, bias: Value): Value {
  const [batch, n, width] = q.shape as [number, number, number];
  const split = (x: Value) => ops.transpose(ops.reshape(x, [batch, x.shape[1]!, heads, width / heads]), [0, 2, 1, 3]);
  const scores = ops.matmul(split(q), split(k), { transposeB: true, alpha: 1 / Math.sqrt(width / heads) });
  const out = ops.matmul(ops.softmax(ops.add(scores, bias)), split(v));
  return ops.reshape(ops.transpose(out, [0, 2, 1, 3]), [batch, n, width]);
}
