import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "../float-formats.js";
import type { SafetensorsFile } from "./safetensors.js";

/**
 * How far values move where they are rounded to a file's 16-bit element types.
 * @returns the Euclidean norm over all tensors; 0 where none has 16 bits
 */
export function roundingNorm(file: SafetensorsFile, values: ReadonlyMap<string, Float32Array>): number {
  let squares = 0;
  for (const [name, exact] of values) {
    const rounded = roundedTo(file.tensors.get(name)?.dtype, exact);
    for (let i = 0; rounded !== undefined && i < exact.length; i++) squares += (rounded[i]! - exact[i]!) ** 2;
  }
  return Math.sqrt(squares);
}

function roundedTo(dtype: string | undefined, values: Float32Array): Float32Array | undefined {
  if (dtype === "F16") return float16ToFloat32(float32ToFloat16(values));
  if (dtype === "BF16") return bfloat16ToFloat32(float32ToBfloat16(values));
  return undefined;
}
