import { int } from "../emitter.js";
import { apply, type FloatDType, type OpDefinition, shapeError, sizeOf, type Value } from "../value.js";
import { constant } from "./leaf.js";
import { matmul } from "./matmul.js";
import { expand } from "./reduce.js";
import { reshape } from "./reshape.js";

interface AxisAttributes {
  readonly axis: number;
}

const CONCAT: OpDefinition<AxisAttributes> = {
  name: "concat",
  infer: (inputs, { axis }) => {
    const [first] = inputs;
    const fits = inputs.every(
      ({ shape }) =>
        shape.length === first!.shape.length && shape.every((extent, i) => i === axis || extent === first!.shape[i]),
    );
    if (!fits) throw shapeError("concat", inputs, `equal shapes but for axis ${axis}`);
    const total = inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
    return [{ shape: first!.shape.map((extent, i) => (i === axis ? total : extent)), dtype: first!.dtype }];
  },
  emit: (e, inputs, { attributes: { axis } }) => e.node("Concat", inputs, { axis: int(axis) }),
  // each input has its own part of the gradient
  gradient: ([g], { inputs, attributes: { axis } }) =>
    split(
      g!,
      axis,
      inputs.map(({ shape }) => shape[axis]!),
    ),
};

/** Joins values along `axis`. */
export const concat = (values: readonly Value[], axis: number): Value => apply(CONCAT, values, { axis })[0]!;

export interface SplitAttributes extends AxisAttributes {
  readonly sizes: readonly number[];
}

export const SPLIT: OpDefinition<SplitAttributes> = {
  name: "split",
  infer: ([x], { axis, sizes }) => {
    if (sizes.reduce((sum, size) => sum + size, 0) !== x!.shape[axis]) {
      throw shapeError("split", [x!], `an axis ${axis} of ${sizes.join(" + ")}`);
    }
    return sizes.map((size) => ({ shape: x!.shape.map((e, i) => (i === axis ? size : e)), dtype: x!.dtype }));
  },
  emit: (e, [x], { attributes: { axis, sizes } }) =>
    e.node("Split", [x!, e.ints(sizes)], { axis: int(axis) }, sizes.length),
  // the parts' gradients side by side, zeros for a part that is not used
  gradient: (g, { outputs, attributes: { axis } }) => [
    concat(
      outputs.map((part, i) => g[i] ?? zeros(part)),
      axis,
    ),
  ],
};

const zeros = ({ shape, dtype }: Value): Value =>
  expand(
    constant(
      [0],
      shape.map(() => 1),
      dtype as FloatDType,
    ),
    shape,
  );

/** Parts of x along `axis`, of the given sizes; their sum must be the extent. */
export const split = (x: Value, axis: number, sizes: readonly number[]): readonly Value[] =>
  sizes.length === 1 ? [x] : apply(SPLIT, [x], { axis, sizes });

interface SliceAttributes extends AxisAttributes {
  readonly start: number;
  readonly end: number;
}

const SLICE: OpDefinition<SliceAttributes> = {
  name: "slice",
  infer: ([x], { axis, start, end }) => {
    const extent = x!.shape[axis];
    if (extent === undefined || start < 0 || end > extent || start >= end) {
      throw shapeError("slice", [x!], `an axis ${axis} that holds ${start} to ${end}`);
    }
    return [{ shape: x!.shape.map((e, i) => (i === axis ? end - start : e)), dtype: x!.dtype }];
  },
  emit: (e, [x], { attributes: { axis, start, end } }) =>
    e.node("Slice", [x!, e.ints([start]), e.ints([end]), e.ints([axis])]),
  // zero outside the slice
  gradient: ([g], { inputs: [x], attributes: { axis, start, end } }) => {
    const before = x!.shape.map((_, i) => (i === axis ? start : 0));
    const after = x!.shape.map((extent, i) => (i === axis ? extent - end : 0));
    return [pad(g!, before, after)];
  },
};

/** Elements `start` to `end` (exclusive) along `axis`. */
export function slice(x: Value, axis: number, start: number, end: number): Value {
  return start === 0 && end === x.shape[axis] ? x : apply(SLICE, [x], { axis, start, end })[0]!;
}

interface PadAttributes {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const PAD: OpDefinition<PadAttributes> = {
  name: "pad",
  infer: ([x], { before, after }) => {
    if (before.length !== x!.shape.length || after.length !== x!.shape.length) {
      throw shapeError("pad", [x!], `rank ${before.length}`);
    }
    return [{ shape: x!.shape.map((extent, i) => extent + before[i]! + after[i]!), dtype: x!.dtype }];
  },
  emit: (e, [x], { attributes: { before, after } }) => e.node("Pad", [x!, e.ints([...before, ...after])]),
  // the border's gradient goes nowhere
  gradient: ([g], { inputs: [x], attributes: { before } }) => [
    x!.shape.reduce((part, extent, axis) => slice(part, axis, before[axis]!, before[axis]! + extent), g!),
  ],
};

/** Surrounds x with zeros, so many before and after along each axis. */
export const pad = (x: Value, before: readonly number[], after: readonly number[]): Value =>
  apply(PAD, [x], { before, after })[0]!;

const GATHER: OpDefinition<Record<never, never>> = {
  name: "gather",
  needsNoConstants: true,
  infer: ([table, ids]) => {
    if (table!.shape.length !== 2 || ids!.dtype !== "int64")
      throw shapeError("gather", [table!, ids!], "[V, C], int64");
    return [{ shape: [...ids!.shape, table!.shape[1]!], dtype: table!.dtype }];
  },
  emit: (e, inputs) => e.node("Gather", inputs),
  // rows taken often have the sum of their gradients, as one product: deterministic, where a scatter may not be
  gradient: ([g], { inputs: [table, ids] }) => {
    const [rows, width] = table!.shape as [number, number];
    const count = sizeOf(ids!.shape);
    const chosen = reshape(oneHot(ids!, rows), [count, rows]);
    return [matmul(chosen, reshape(g!, [count, width]), { transposeA: true }), undefined];
  },
};

/** Rows of a table [V, C] at ids [...]: [..., C]. */
export const gather = (table: Value, ids: Value): Value => apply(GATHER, [table, ids], {})[0]!;

const ONE_HOT: OpDefinition<{ readonly depth: number }> = {
  name: "oneHot",
  infer: ([ids], { depth }) => [{ shape: [...ids!.shape, depth], dtype: "float32" }],
  emit: (e, [ids], { attributes: { depth } }) => e.node("OneHot", [ids!, e.ints([depth]), e.floats([0, 1], [2])]),
  gradient: "not differentiable",
};

/** 1 at each id, 0 elsewhere: [...] to [..., depth]. */
export const oneHot = (ids: Value, depth: number): Value => apply(ONE_HOT, [ids], { depth })[0]!;
