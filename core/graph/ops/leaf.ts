import { SpinError } from "../../errors.js";
import { apply, type DType, type FloatDType, type OpDefinition, type Shape, sizeOf, type Value } from "../value.js";

export interface LeafAttributes {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
}

const leaf = (name: string): OpDefinition<LeafAttributes> => ({
  name,
  infer: (_, { shape, dtype }) => [{ shape, dtype }],
  emit: (_e, _inputs, { attributes }) => [attributes.name],
  gradient: () => [],
});

/** Definition of the graph's inputs: fed at every run. */
export const INPUT = leaf("input");

/** Definition of trained or loaded weights: fed, or bound as initializers, as the emission chooses. */
export const PARAMETER = leaf("parameter");

/** An input of the graph, fed under `name` at every run. */
export function input(name: string, shape: Shape, dtype: DType = "float32"): Value {
  return apply(INPUT, [], { name, shape, dtype })[0]!;
}

/** A weight, under the name it has in the model's file. */
export function parameter(name: string, shape: Shape): Value {
  return apply(PARAMETER, [], { name, shape, dtype: "float32" })[0]!;
}

export interface ConstantAttributes {
  readonly shape: Shape;
  readonly dtype: FloatDType | "int64";
  readonly data: ArrayLike<number>;
}

/** Definition of fixed tensors. */
export const CONSTANT: OpDefinition<ConstantAttributes> = {
  name: "constant",
  infer: (_, { shape, dtype }) => [{ shape, dtype }],
  emit: (e, _inputs, { attributes: { data, dtype, shape } }) => [
    dtype === "int64" ? e.ints(Array.from(data)) : e.floats(data, shape, dtype),
  ],
  gradient: () => [],
};

/** A fixed tensor, row-major, rounded to `dtype`; `data.length` must be the shape's size. */
export function constant(data: ArrayLike<number>, shape: Shape = [data.length], dtype: FloatDType = "float32"): Value {
  if (data.length !== sizeOf(shape)) {
    throw new SpinError("internal", `constant: ${data.length} values for the shape [${shape.join(", ")}]`);
  }
  return apply(CONSTANT, [], { shape, dtype, data })[0]!;
}

/** A fixed scalar. */
export function scalar(value: number, dtype?: FloatDType): Value {
  return constant([value], [], dtype);
}

/** A fixed vector of indices. */
export function indices(values: readonly number[]): Value {
  return apply(CONSTANT, [], { shape: [values.length], dtype: "int64", data: values })[0]!;
}
