import { type Shape, sizeOf } from "../graph/value.js";

/** Float values with their extents, row-major. */
export interface FloatTensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** Rows of one tensor, one sample each: views. */
export function rowsOf({ shape, data }: FloatTensor): Float32Array[] {
  const size = sizeOf(shape.slice(1));
  return Array.from({ length: shape[0]! }, (_, i) => data.subarray(i * size, (i + 1) * size));
}

/** [N, ...shape] from N tensors. */
export function stackRows(rows: readonly Float32Array[], shape: Shape): FloatTensor {
  const size = sizeOf(shape);
  const data = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries()) data.set(row, i * size);
  return { shape: [rows.length, ...shape], data };
}
