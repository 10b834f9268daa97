import { open } from "node:fs/promises";
import { SpinError } from "../errors.js";
import { float32ToBfloat16, float32ToFloat16 } from "../float-formats.js";
import { toIoError } from "./io-errors.js";
import { DTYPE_BYTES, type Dtype } from "./safetensors-header.js";

/** A tensor to be written. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /**
   * The values: any view of exactly the tensor's little-endian bytes, or float32 values, which are rounded where `dtype`
   * is another floating-point format. A function is called when its turn comes, so that large sets stay off the heap.
   */
  readonly data: ArrayBufferView | (() => ArrayBufferView | Promise<ArrayBufferView>);
}

/**
 * Writes a safetensors file: header with the keys in the given order, padded with spaces so that the data starts at a
 * multiple of 8, then each tensor's bytes. The file is not synchronised; `saveFolder` does that.
 * @throws SpinError "invalid" for a repeated name or data that does not fit its shape, "exhausted" for a full disk
 */
export async function writeSafetensors(
  path: string,
  entries: readonly TensorEntry[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const header = encodeHeader(path, entries, metadata);
  try {
    const file = await open(path, "w");
    try {
      await file.writeFile(header);
      for (const entry of entries) await file.writeFile(await entryBytes(path, entry));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw toIoError(error, path, "write");
  }
}

/** @returns the bytes that a tensor takes. */
export function tensorBytes(dtype: Dtype, shape: readonly number[]): number {
  return shape.reduce((bytes, size) => bytes * size, DTYPE_BYTES[dtype]);
}

function encodeHeader(
  path: string,
  entries: readonly TensorEntry[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  // A map, then fromEntries: assigning to a key named __proto__ would change the object instead.
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set("__metadata__", metadata);
  let end = 0;
  for (const { name, dtype, shape } of entries) {
    if (header.has(name)) throw invalidTensor(path, name, "is given twice");
    const begin = end;
    end += tensorBytes(dtype, shape);
    header.set(name, { dtype, shape, data_offsets: [begin, end] });
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const padded = new Uint8Array(8 + Math.ceil(json.byteLength / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.byteLength - 8), true);
  padded.set(json, 8);
  return padded;
}

/** A tensor's bytes, converted where they have to be. @throws SpinError "invalid" for data that does not fit */
export async function entryBytes(path: string, entry: TensorEntry): Promise<Uint8Array> {
  const { name, dtype, shape } = entry;
  const given = typeof entry.data === "function" ? await entry.data() : entry.data;
  const data = given instanceof Float32Array ? fromFloat32(path, name, given, dtype) : given;
  const expected = tensorBytes(dtype, shape);
  if (data.byteLength !== expected) {
    throw invalidTensor(path, name, `${data.byteLength} bytes given, ${dtype} [${shape.join(", ")}] takes ${expected}`);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function fromFloat32(path: string, name: string, values: Float32Array, dtype: Dtype): ArrayBufferView {
  switch (dtype) {
    case "F32":
      return values;
    case "F16":
      return float32ToFloat16(values);
    case "BF16":
      return float32ToBfloat16(values);
    case "F64":
      return Float64Array.from(values);
    default:
      throw invalidTensor(path, name, `float32 values given for the dtype ${dtype}`);
  }
}

function invalidTensor(file: string, tensor: string, problem: string): SpinError {
  return new SpinError("invalid", `writing ${file}: tensor ${JSON.stringify(tensor)} ${problem}`, { file, tensor });
}
