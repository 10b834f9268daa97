import { float, int } from "../emitter.js";
import { apply, type OpDefinition, shapeError, type Value } from "../value.js";
import { mul, sub } from "./elementwise.js";
import { reduceMean } from "./reduce.js";

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
