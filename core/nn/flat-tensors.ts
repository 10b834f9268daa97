import { type Shape, sizeOf } from "../graph/value.js";

/** Named tensors in one buffer, in order of insertion: what an optimiser walks in one pass. */
export interface FlatTensors {
  readonly data: Float32Array<ArrayBuffer>;
  readonly views: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/** Lays tensors out one behind another; filled with zeros. */
export function flatTensors(shapes: ReadonlyMap<string, Shape>): FlatTensors {
  const total = [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
  const data = new Float32Array(total);
  const views = new Map<string, Float32Array<ArrayBuffer>>();
  let start = 0;
  for (const [name, shape] of shapes) {
    views.set(name, data.subarray(start, start + sizeOf(shape)));
    start += sizeOf(shape);
  }
  return { data, views };
}
