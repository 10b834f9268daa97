import { type FloatDType, float, int } from "../emitter.js";
import { apply, type OpDefinition, shapeError, type Value } from "../value.js";
import { mul, neg } from "./elementwise.js";
import { constant } from "./leaf.js";
import { matmul } from "./matmul.js";
import { concat } from "./movement.js";
import { expand, reduceSum } from "./reduce.js";

interface AttentionAttributes {
  readonly scale: number;
}

const ATTENTION: OpDefinition<AttentionAttributes> = {
  name: "attention",
  precision: "half",
  infer: (inputs) => {
    const [q, k, v] = inputs;
    const [n, d] = q!.shape.slice(-2) as [number, number];
    const [m, dk] = k!.shape.slice(-2) as [number, number];
    const [mv, dv] = v!.shape.slice(-2) as [number, number];
    const batch = q!.shape.slice(0, -2);
    const sameBatch = [k!, v!].every(({ shape }) => shape.slice(0, -2).join() === batch.join());
    if (d !== dk || m !== mv || !sameBatch)
      throw shapeError("attention", inputs, "q [..., N, D], k [..., M, D], v [..., M, E]");
    return [
      { shape: [...batch, n, dv], dtype: q!.dtype },
      { shape: [...batch, n, m], dtype: q!.dtype }, // the probabilities, kept for the gradient
    ];
  },
  emit: (e, [q, k, v, mask], { attributes: { scale } }) => {
    const [scores] = e.contrib("FusedMatMul", [q!, k!], { transA: int(0), transB: int(1), alpha: float(scale) });
    const masked = mask === undefined ? scores! : e.node("Add", [scores!, mask])[0]!;
    const [probabilities] = e.node("Softmax", [masked], { axis: int(-1) });
    const [out] = e.node("MatMul", [probabilities!, v!]);
    return [out!, probabilities!];
  },
  // O = PV, P = softmax(S), S = αQKᵀ:  dV = Pᵀ dO,  dS = P ∘ (dO Vᵀ − rowsum(dO ∘ O)),  dQ = α dS K,  dK = α dSᵀ Q.
  // The bracket is one product, [dO, −rowsum] [V, 1]ᵀ, so the scores are passed over once.
  gradient: ([g], node) => {
    const [q, k, v] = node.inputs;
    const { scale } = node.attributes;
    const [out, probabilities] = node.outputs;
    const axis = v!.shape.length - 1;
    const ones = expand(
      constant(
        [1],
        v!.shape.map(() => 1),
        v!.dtype as FloatDType,
      ),
      [...v!.shape.slice(0, -1), 1],
    );
    const rows = reduceSum(mul(g!, out!), [-1]);
    const bracket = matmul(concat([g!, neg(rows)], axis), concat([v!, ones], axis), { transposeB: true });
    const scores = mul(probabilities!, bracket);
    return [
      matmul(scores, k!, { alpha: scale }),
      matmul(scores, q!, { transposeA: true, alpha: scale }),
      matmul(probabilities!, g!, { transposeA: true }),
      undefined,
    ];
  },
};

/**
 * softmax(scale·QKᵀ + mask)·V over the last two axes (Vaswani et al. 2017, eq. 1).
 * q [..., N, D], k [..., M, D], v [..., M, E], mask broadcastable to [..., N, M] and without gradient: [..., N, E].
 */
export function attention(q: Value, k: Value, v: Value, scale: number, mask?: Value): Value {
  const inputs = mask === undefined ? [q, k, v] : [q, k, v, mask];
  return apply(ATTENTION, inputs, { scale })[0]!;
}
