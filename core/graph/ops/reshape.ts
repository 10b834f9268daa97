import { ints } from "../emitter.js";
import { apply, type OpDefinition, type Shape, sameShape, shapeError, sizeOf, type Value } from "../value.js";

/** Definition of {@link reshape}. */
export const RESHAPE: OpDefinition<{ readonly shape: Shape }> = {
  name: "reshape",
  aliases: true,
  infer: ([x], { shape }) => {
    if (sizeOf(x!.shape) !== sizeOf(shape)) throw shapeError("reshape", [x!], `the size of [${shape.join(", ")}]`);
    return [{ shape, dtype: x!.dtype }];
  },
  emit: (e, [x], { attributes: { shape } }) => e.node("Reshape", [x!, e.ints(shape)]),
  // the same elements under another shape
  gradient: ([g], { inputs: [x] }) => [reshape(g!, x!.shape)],
};

/** The same elements, row-major, under another shape. */
export function reshape(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : apply(RESHAPE, [x], { shape })[0]!;
}

const TRANSPOSE: OpDefinition<{ readonly permutation: readonly number[] }> = {
  name: "transpose",
  infer: ([x], { permutation }) => {
    if (permutation.toSorted((a, b) => a - b).some((axis, i) => axis !== i) || permutation.length !== x!.shape.length) {
      throw shapeError("transpose", [x!], `the rank of the permutation ${permutation}`);
    }
    return [{ shape: permutation.map((axis) => x!.shape[axis]!), dtype: x!.dtype }];
  },
  emit: (e, inputs, { attributes: { permutation } }) => e.node("Transpose", inputs, { perm: ints(permutation) }),
  // undone by the inverse permutation
  gradient: ([g], { attributes: { permutation } }) => [
    transpose(
      g!,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
};

/** Axis i of the result is axis `permutation[i]` of x. */
export const transpose = (x: Value, permutation: readonly number[]): Value =>
  apply(TRANSPOSE, [x], { permutation })[0]!;
