import { DataType, type Tensor } from "../../proto/gen/spin/v1/tensor.js";
import { SpinError } from "../errors.js";

const MAX_DIMENSIONS = 8;

/** A decoded tensor; `data` owns its buffer, so it may be handed over to a worker. */
export interface DecodedTensor<T> {
  readonly shape: number[];
  readonly data: T;
}

/** The shape that a receiver expects; `undefined` stands for any extent. */
export type ShapePattern = readonly (number | undefined)[];

/** A tensor message over the array's own memory, without a copy. The extents multiply to the array's length. */
export function encodeTensor(shape: readonly number[], data: Float32Array | Int32Array | Uint8Array): Tensor {
  const dtype =
    data instanceof Float32Array
      ? DataType.DATA_TYPE_FLOAT32
      : data instanceof Int32Array
        ? DataType.DATA_TYPE_INT32
        : DataType.DATA_TYPE_UINT8;
  const elements = shape.reduce((product, extent) => product * extent, 1);
  if (elements !== data.length) {
    throw new SpinError(
      "internal",
      `a tensor of shape [${shape.join(", ")}] has ${elements} elements, not ${data.length}`,
    );
  }
  return { dtype, shape: [...shape], data: Buffer.from(data.buffer, data.byteOffset, data.byteLength) };
}

/** Reads a float32 tensor. @throws SpinError `invalid`, naming the field, for anything else. */
export function decodeFloat32(
  tensor: Tensor | undefined,
  field: string,
  shape?: ShapePattern,
): DecodedTensor<Float32Array> {
  const checked = check(tensor, field, DataType.DATA_TYPE_FLOAT32, 4, shape);
  return { shape: checked.shape, data: new Float32Array(copy(checked.data)) };
}

/** Reads an int32 tensor. @throws SpinError `invalid`, naming the field, for anything else. */
export function decodeInt32(
  tensor: Tensor | undefined,
  field: string,
  shape?: ShapePattern,
): DecodedTensor<Int32Array> {
  const checked = check(tensor, field, DataType.DATA_TYPE_INT32, 4, shape);
  return { shape: checked.shape, data: new Int32Array(copy(checked.data)) };
}

/** Reads a uint8 tensor. @throws SpinError `invalid`, naming the field, for anything else. */
export function decodeUint8(
  tensor: Tensor | undefined,
  field: string,
  shape?: ShapePattern,
): DecodedTensor<Uint8Array> {
  const checked = check(tensor, field, DataType.DATA_TYPE_UINT8, 1, shape);
  return { shape: checked.shape, data: new Uint8Array(copy(checked.data)) };
}

function check(
  tensor: Tensor | undefined,
  field: string,
  dtype: DataType,
  size: number,
  pattern?: ShapePattern,
): Tensor {
  const refuse = (what: string, expected: string, got: string): never => {
    throw new SpinError("invalid", `${field}${what}: expected ${expected}, got ${got}`, { field: field + what });
  };
  if (tensor === undefined) return refuse("", `a tensor of type ${DataType[dtype]}`, "none");
  const { shape, data } = tensor;
  if (tensor.dtype !== dtype) refuse(".dtype", String(DataType[dtype]), DataType[tensor.dtype] ?? String(tensor.dtype));
  if (shape.length > MAX_DIMENSIONS) refuse(".shape", `at most ${MAX_DIMENSIONS} dimensions`, String(shape.length));
  if (pattern !== undefined && !matches(shape, pattern)) {
    refuse(".shape", `[${pattern.map((extent) => extent ?? "any").join(", ")}]`, `[${shape.join(", ")}]`);
  }
  // A product beyond 2^53 is rounded but still far from any real length.
  const bytes = shape.reduce((product, extent) => product * extent, size);
  if (bytes !== data.length) refuse(".data", `${bytes} bytes for shape [${shape.join(", ")}]`, `${data.length}`);
  return tensor;
}

function matches(shape: readonly number[], pattern: ShapePattern): boolean {
  return (
    shape.length === pattern.length && pattern.every((extent, axis) => extent === undefined || extent === shape[axis])
  );
}

/**
 * Bytes inside a message lie at any offset, and the view would keep the whole message alive. Little-endian hosts only,
 * as Node's are.
 */
function copy(data: Uint8Array): ArrayBuffer {
  const buffer = new ArrayBuffer(data.byteLength);
  new Uint8Array(buffer).set(data);
  return buffer;
}
