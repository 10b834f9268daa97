import { int } from "../emitter.js";
import { apply, type OpDefinition, type Shape, sameShape, shapeError, sizeOf, type Value } from "../value.js";
import { mul, sub } from "./elementwise.js";
import { reshape } from "./reshape.js";

interface ReduceAttributes {
  /** Non-negative axes; they stay as extents of 1. */
  readonly axes: readonly number[];
}

const REDUCE_SUM: OpDefinition<ReduceAttributes> = {
  name: "reduceSum",
  precision: "float",
  infer: ([x], { axes }) => {
    if (axes.some((axis) => axis < 0 || axis >= x!.shape.length)) throw shapeError("reduceSum", [x!], `axes ${axes}`);
    return [{ shape: x!.shape.map((extent, i) => (axes.includes(i) ? 1 : extent)), dtype: x!.dtype }];
  },
  emit: (e, [x], { attributes: { axes } }) => e.node("ReduceSum", [x!, e.ints(axes)], { keepdims: int(1) }),
  // every summand has the gradient of the sum
  gradient: ([g], { inputs: [x] }) => [expand(g!, x!.shape)],
};

/** Sum over `axes` (negative ones count from the end), which stay as extents of 1. */
export function reduceSum(x: Value, axes: readonly number[]): Value {
  return apply(REDUCE_SUM, [x], { axes: normaliseAxes(x, axes) })[0]!;
}

const REDUCE_MEAN: OpDefinition<ReduceAttributes> = {
  name: "reduceMean",
  precision: "float",
  infer: REDUCE_SUM.infer,
  emit: (e, [x], { attributes: { axes } }) => e.node("ReduceMean", [x!, e.ints(axes)], { keepdims: int(1) }),
  // d mean = Σ dx / n: scaled before it spreads, while it is small
  gradient: ([g], { inputs: [x], y }) => [expand(mul(g!, sizeOf(y.shape) / sizeOf(x!.shape)), x!.shape)],
};

/** Mean over `axes` (all by default), which stay as extents of 1. */
export function reduceMean(x: Value, axes: readonly number[] = x.shape.map((_, i) => i)): Value {
  return apply(REDUCE_MEAN, [x], { axes: normaliseAxes(x, axes) })[0]!;
}

/** Mean of all elements, as a scalar of shape []. */
export const mean = (x: Value): Value => reshape(reduceMean(x), []);

/** Sum of all elements, as a scalar of shape []. */
export const sum = (x: Value): Value =>
  reshape(
    reduceSum(
      x,
      x.shape.map((_, i) => i),
    ),
    [],
  );

const EXPAND: OpDefinition<{ readonly shape: Shape }> = {
  name: "expand",
  infer: ([x], { shape }) => {
    const offset = shape.length - x!.shape.length;
    const fits = x!.shape.every((extent, i) => extent === 1 || extent === shape[i + offset]);
    if (offset < 0 || !fits) throw shapeError("expand", [x!], `a shape that broadcasts to [${shape.join(", ")}]`);
    return [{ shape, dtype: x!.dtype }];
  },
  emit: (e, [x], { attributes: { shape } }) => e.node("Expand", [x!, e.ints(shape)]),
  // a value used many times has the sum of their gradients
  gradient: ([g], { inputs: [x] }) => [sumTo(g!, x!.shape)],
};

/** Repeats x along extents of 1, as NumPy's broadcast_to. */
export function expand(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : apply(EXPAND, [x], { shape })[0]!;
}

/** The reverse of broadcasting: sums g over the axes along which `shape` was repeated. */
export function sumTo(g: Value, shape: Shape): Value {
  const offset = g.shape.length - shape.length;
  const axes = g.shape.flatMap((extent, i) => (i < offset || (shape[i - offset] === 1 && extent !== 1) ? [i] : []));
  return reshape(axes.length === 0 ? g : reduceSum(g, axes), shape);
}

const SOFTMAX: OpDefinition<Record<never, never>> = {
  name: "softmax",
  precision: "float",
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  emit: (e, inputs) => e.node("Softmax", inputs, { axis: int(-1) }),
  // dx = y (g − Σ gy)
  gradient: ([g], { y }) => [mul(y, sub(g!, reduceSum(mul(g!, y), [-1])))],
};

/** Softmax over the last axis. */
export const softmax = (x: Value): Value => apply(SOFTMAX, [x], {})[0]!;

function normaliseAxes(x: Value, axes: readonly number[]): number[] {
  return axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)).sort((a, b) => a - b);
}
