/** A low-rank adapter of one layer: W + (alpha / rank)·B·A (Hu et al. 2021, LoRA, §4.1). */
export interface LoraLayer {
  /** Rows of A and columns of B. */
  readonly rank: number;
  readonly alpha: number;
}

/** A linear layer's A is [rank, I] and its B [O, rank]; a convolution's A [rank, C, R, S] and its B [K, rank, 1, 1]. */
export const LORA_A = "lora_A.weight";
export const LORA_B = "lora_B.weight";

/** Factor of B·A. */
export function loraScale({ rank, alpha }: LoraLayer): number {
  return alpha / rank;
}

/**
 * Values of a new A as peft draws them, Kaiming-uniform with a = √5: uniform within ±1/√fan-in. B begins as zeros.
 *
 * @param fanIn elements of one of A's rows.
 * @param uniform numbers in [0, 1).
 */
export function initialLoraA(rank: number, fanIn: number, uniform: () => number): Float32Array<ArrayBuffer> {
  const bound = 1 / Math.sqrt(fanIn);
  return new Float32Array(rank * fanIn).map(() => (2 * uniform() - 1) * bound);
}

/**
 * The weight with its adapter in it, W + scale·(alpha / rank)·B·A: summed in double precision and rounded once.
 *
 * @param weight any shape [O, ...], row-major; left as it is.
 * @param a [rank, ...], as many elements a row as the weight has.
 * @param b [O, rank]
 */
export function mergeLora(
  weight: Float32Array,
  a: Float32Array,
  b: Float32Array,
  layer: LoraLayer,
  scale = 1,
): Float32Array<ArrayBuffer> {
  const { rank } = layer;
  const factor = scale * loraScale(layer);
  const [rows, columns] = [b.length / rank, a.length / rank];
  const merged = new Float32Array(weight.length);
  const row = new Float64Array(columns);
  for (let o = 0; o < rows; o++) {
    row.set(weight.subarray(o * columns, (o + 1) * columns));
    for (let r = 0; r < rank; r++) {
      const up = factor * b[o * rank + r]!;
      for (let i = 0; i < columns; i++) row[i] = row[i]! + up * a[r * columns + i]!;
    }
    merged.set(row, o * columns);
  }
  return merged;
}
