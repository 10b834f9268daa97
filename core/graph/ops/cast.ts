import { apply, type DType, type OpDefinition, type Value } from "../value.js";

/** ONNX's numbers of the types (TensorProto.DataType). */
const NUMBERS: Record<DType, number> = { float32: 1, int64: 7, bool: 9, float16: 10, bfloat16: 16 };

const CAST: OpDefinition<{ readonly dtype: DType }> = {
  name: "cast",
  infer: ([x], { dtype }) => [{ shape: x!.shape, dtype }],
  emit: (e, inputs, { attributes: { dtype } }) => e.node("Cast", inputs, { to: { int: NUMBERS[dtype] } }),
  // rounding counts as the identity
  gradient: ([g], { inputs: [x] }) => [cast(g!, x!.dtype)],
};

/** x in another element type, rounded to nearest. */
export const cast = (x: Value, dtype: DType): Value => (x.dtype === dtype ? x : apply(CAST, [x], { dtype })[0]!);
