import { type Shape, sizeOf } from "../graph/value.js";

/** Named tensors in one buffer, in order of insertion: what an optimiser walks in one pass. */
export interface FlatTensors {
  readonly data: Float32Array<ArrayBuffer>;
  readonly views: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/** Lays tensors out one behind another. @param data as many elements as they have together; zeros of its own where absent */
export function flatTensors(
  shapes: ReadonlyMap<string, Shape>,
  data: Float32Array<ArrayBuffer> = new Float32Array(totalSize(shapes)),
): FlatTensors {
  const views = new Map<string, Float32Array<ArrayBuffer>>();
  let start = 0;
  for (const [name, shape] of shapes) {
    views.set(name, data.subarray(start, start + sizeOf(shape)));
    start += sizeOf(shape);
  }
  return { data, views };
}

/** Elements of all tensors together. */
export function totalSize(shapes: ReadonlyMap<string, Shape>): number {
  return [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
}
