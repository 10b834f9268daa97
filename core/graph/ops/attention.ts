import { float, int } from "../emitter.js";
import { apply, type OpDefinition, shapeError, type Value } from "../value.js";
import { headGradients } from "./attention-gradient.js";
import { mul, neg } from "./elementwise.js";
import { concat } from "./movement.js";
import { reduceSum } from "./reduce.js";
import { reshape, transpose } from "./reshape.js";

interface AttentionAttributes {
  readonly heads: number;
  readonly scale: number;
}

const ATTENTION: OpDefinition<AttentionAttributes> = {
  name: "attention",
  precision: "half",
  infer: (inputs, { heads }) => {
    const [q, k, v, mask] = inputs;
    const [batch, n, width] = q!.shape as [number, number, number];
    const [, m] = k!.shape as [number, number];
    const fits =
      inputs.slice(0, 3).every(({ shape }) => shape.length === 3 && shape[0] === batch && shape[2]! % heads === 0) &&
      k!.shape[2] === width &&
      v!.shape[1] === m;
    if (!fits || (mask !== undefined && mask.shape.join() !== [1, 1, n, m].join())) {
      throw shapeError(
        "attention",
        inputs,
        `q [B, N, ${heads}·D], k [B, M, ${heads}·D], v [B, M, ${heads}·E], mask [1, 1, N, M]`,
      );
    }
    return [{ shape: [batch, n, v!.shape[2]!], dtype: q!.dtype }];
  },
  // The runtime's own: on CPUs without a mask it goes over tiles of scores that stay in the cache (Dao et al. 2022, FlashAttention).
  emit: (e, [q, k, v, mask], { attributes: { heads, scale } }) =>
    e.contrib("MultiHeadAttention", mask === undefined ? [q!, k!, v!] : [q!, k!, v!, "", "", mask], {
      num_heads: int(heads),
      scale: float(scale),
    }),
  gradient: ([g], { inputs: [q, k, v, mask], y, attributes: { heads, scale } }) => {
    const split = (x: Value) => {
      const [batch, rows, width] = x.shape as [number, number, number];
      const apart = transpose(reshape(x, [batch, rows, heads, width / heads]), [0, 2, 1, 3]);
      return reshape(apart, [batch * heads, rows, width / heads]);
    };
    const join = (x: Value, like: Value) => {
      const [batch, rows, width] = like.shape as [number, number, number];
      return reshape(transpose(reshape(x, [batch, heads, rows, width / heads]), [0, 2, 1, 3]), like.shape);
    };
    const [go, out] = [split(g!), split(y)];
    const rows = neg(reduceSum(mul(go, out), [-1]));
    const parts = { q: split(q!), k: split(k!), v: split(v!), g: concat([go, rows], 2) };
    const { dq, dk, dv } = headGradients(parts, scale, mask && reshape(mask, mask.shape.slice(2)));
    return [join(dq, q!), join(dk, k!), join(dv, v!), undefined];
  },
};

/**
 * Multi-head softmax(scale·QKᵀ + mask)·V (Vaswani et al. 2017, §3.2.2). Neither direction keeps scores: the backward pass
 * computes them anew, a part at a time.
 *
 * @param q [B, N, heads·D]
 * @param k [B, M, heads·D]
 * @param v [B, M, heads·E]
 * @param mask [N, M], added to the scores; without gradient.
 * @returns [B, N, heads·E]
 */
export function attention(q: Value, k: Value, v: Value, heads: number, scale: number, mask?: Value): Value {
  const inputs = mask === undefined ? [q, k, v] : [q, k, v, reshape(mask, [1, 1, ...mask.shape])];
  return apply(ATTENTION, inputs, { heads, scale })[0]!;
}
