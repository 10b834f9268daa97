import { type Shape, sizeOf } from "../graph/value.js";

/** Float values with their extents, row-major. */
export interface FloatTensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** [N, ...shape] in parts of `size` samples while there are as many, then one by one; views. */
export function chunksOf({ shape, data }: FloatTensor, size: number): FloatTensor[] {
  const [count, ...rest] = shape as [number, ...number[]];
  const row = sizeOf(rest);
  const chunks: FloatTensor[] = [];
  for (let start = 0; start < count; ) {
    const samples = start + size <= count ? size : 1;
    chunks.push({ shape: [samples, ...rest], data: data.subarray(start * row, (start + samples) * row) });
    start += samples;
  }
  return chunks;
}

/** [N, ...shape] from parts with one or more samples each. */
export function joinRows(parts: readonly Float32Array[], shape: Shape): FloatTensor {
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let start = 0;
  for (const part of parts) {
    data.set(part, start);
    start += part.length;
  }
  return { shape: [data.length / sizeOf(shape), ...shape], data };
}
