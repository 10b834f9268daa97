import { float, int } from "../emitter.js";
import { apply, type OpDefinition, shapeError, sizeOf, type Value } from "../value.js";
import { add, mul, sub } from "./elementwise.js";
import { reduceMean, reduceSum } from "./reduce.js";
import { reshape } from "./reshape.js";

const NORMALIZE: OpDefinition<{ readonly epsilon: number }> = {
  name: "normalize",
  precision: "float",
  infer: ([x]) => {
    if (x!.shape.length < 2) throw shapeError("normalize", [x!], "at least two axes");
    const statistic = { shape: [...x!.shape.slice(0, -1), 1], dtype: x!.dtype };
    return [{ shape: x!.shape, dtype: x!.dtype }, statistic, statistic];
  },
  emit: (e, [x], { attributes: { epsilon }, inputs: [value] }) => {
    const width = value!.shape.at(-1)!;
    const scale = e.floats(new Float32Array(width).fill(1), [width]);
    return e.node("LayerNormalization", [x!, scale], { axis: int(-1), epsilon: float(epsilon) }, 3);
  },
  // y = (x − μ)/s:  dx = (g − mean g − y mean(g y)) / s, means over the last axis
  gradient: ([g], { y, outputs: [, , inverseDeviation] }) => {
    const centred = sub(sub(g!, reduceMean(g!, [-1])), mul(y, reduceMean(mul(g!, y), [-1])));
    return [mul(centred, inverseDeviation!)];
  },
};

/** (x − mean)/√(variance + epsilon) over the last axis (Ba et al. 2016, eq. 4, without gain and bias). */
export const normalize = (x: Value, epsilon: number): Value => apply(NORMALIZE, [x], { epsilon })[0]!;

interface GroupNormAttributes {
  readonly groups: number;
  readonly epsilon: number;
}

const GROUP_NORM: OpDefinition<GroupNormAttributes> = {
  name: "groupNorm",
  precision: "float",
  infer: (inputs, { groups }) => {
    const [x, weight, bias] = inputs;
    const [batch, channels] = x!.shape as [number, number];
    const fits = [weight!, bias!].every(({ shape }) => shape.join() === `${channels}`);
    if (x!.shape.length < 3 || channels % groups !== 0 || !fits) {
      throw shapeError("groupNorm", inputs, `x [B, C, ...], C a multiple of ${groups}, weight [C], bias [C]`);
    }
    const { shape, dtype } = x!;
    // the normalised x and its inverse deviations are kept for the gradient
    return [
      { shape, dtype },
      { shape, dtype },
      { shape: [batch, groups, 1], dtype },
    ];
  },
  emit: (e, [x, weight, bias], { attributes: { groups, epsilon }, inputs: [value] }) => {
    const { shape } = value!;
    const size = sizeOf(shape) / (shape[0]! * groups);
    const only = <T>([one]: readonly T[]): T => one!;
    const grouped = only(e.node("Reshape", [x!, e.ints([shape[0]!, groups, size])]));
    const scale = e.floats(new Float32Array(size).fill(1), [size]);
    const attributes = { axis: int(-1), epsilon: float(epsilon) };
    const [n, , inverseDeviation] = e.node("LayerNormalization", [grouped, scale], attributes, 3);
    const normal = only(e.node("Reshape", [n!, e.ints(shape)]));
    const perChannel = e.ints([shape[1]!, ...shape.slice(2).map(() => 1)]);
    const scaled = only(e.node("Mul", [normal, only(e.node("Reshape", [weight!, perChannel]))]));
    return [only(e.node("Add", [scaled, only(e.node("Reshape", [bias!, perChannel]))])), normal, inverseDeviation!];
  },
  // y = wn + b, n = (x − μ)/s:  with G = Σ g and N = Σ g n over the positions of a channel, db = G and dw = N over the batch;
  // dx = (w g − mean w G − n mean w N) / s, means over a group: three of the passes that the sums take alone are over channels only
  gradient: ([g], { inputs: [x, weight], outputs: [, n, inverseDeviation], attributes: { groups } }) => {
    const [batch, channels, ...positions] = x!.shape as [number, number, ...number[]];
    const perGroup = [batch, groups, channels / groups];
    const size = sizeOf(x!.shape) / (batch * groups);
    const axes = positions.map((_, i) => i + 2);
    const [gs, gns] = [g!, mul(g!, n!)].map((each) => reshape(reduceSum(each, axes), [batch, channels])) as [
      Value,
      Value,
    ];
    const overBatch = (sums: Value) => reshape(reduceSum(sums, [0]), [channels]);
    const factor = mul(reshape(weight!, [1, groups, channels / groups]), inverseDeviation!); // [B, G, C/G]
    const groupMean = (sums: Value) => mul(reduceSum(mul(reshape(sums, perGroup), factor), [2]), 1 / size); // [B, G, 1]
    const scaled = mul(g!, reshape(factor, [batch, channels, ...positions.map(() => 1)]));
    const line = add(mul(reshape(n!, [batch, groups, size]), groupMean(gns)), groupMean(gs));
    return [sub(scaled, reshape(line, x!.shape)), overBatch(gns), overBatch(gs)];
  },
};

/** Group normalisation of x [B, C, ...] with gain and bias [C]: statistics over each of `groups` groups of channels (Wu & He 2018, eq. 1). */
export const groupNorm = (x: Value, weight: Value, bias: Value, groups: number, epsilon: number): Value =>
  apply(GROUP_NORM, [x, weight, bias], { groups, epsilon })[0]!;

const LAYER_NORM: OpDefinition<{ readonly epsilon: number }> = {
  name: "layerNorm",
  precision: "float",
  infer: (inputs) => {
    const [x, weight, bias] = inputs;
    const width = x!.shape.at(-1);
    if (weight!.shape.join() !== `${width}` || bias!.shape.join() !== `${width}`) {
      throw shapeError("layerNorm", inputs, `weight and bias of [${width}]`);
    }
    const statistic = { shape: [...x!.shape.slice(0, -1), 1], dtype: x!.dtype };
    return [{ shape: x!.shape, dtype: x!.dtype }, statistic, statistic];
  },
  emit: (e, inputs, { attributes: { epsilon } }) =>
    e.node("LayerNormalization", inputs, { axis: int(-1), epsilon: float(epsilon) }, 3),
  // y = wn + b, n = (x − μ)/s:  db = g,  dw = g n,  dn = g w, and dx from dn as for `normalize`
  gradient: ([g], { inputs: [x, weight], outputs: [, mean, inverseDeviation] }) => {
    const n = mul(sub(x!, mean!), inverseDeviation!);
    const dn = mul(g!, weight!);
    const centred = sub(sub(dn, reduceMean(dn, [-1])), mul(n, reduceMean(mul(dn, n), [-1])));
    return [mul(centred, inverseDeviation!), mul(g!, n), g!];
  },
};

/** Layer normalisation over the last axis with gain and bias [C] (Ba et al. 2016, eq. 4). */
export const layerNorm = (x: Value, weight: Value, bias: Value, epsilon: number): Value =>
  apply(LAYER_NORM, [x, weight, bias], { epsilon })[0]!;
