import { createPhiloxStream, type PhiloxStream } from "../../core/diffusion/philox.js";
import { RANDOM_PURPOSE } from "./bootstrap.js";
import type { Features } from "./features.js";
import {
  bootstrapMmd,
  type KernelMatrices,
  kernelMatrices,
  type ResamplingUnits,
  squaredMmd,
  squaredMmdOverUnits,
} from "./mmd.js";
import { mean, standardDeviation } from "./summary.js";

/** Rows of the two sets that make up one subset. */
export interface SubsetPair {
  readonly x: Int32Array;
  readonly y: Int32Array;
}

/** KID's kernel (x · y / d + 1)³ over both sets (Bińkowski et al. 2018, "Demystifying MMD GANs", §4). */
export async function polynomialKernels(x: Features, y: Features): Promise<KernelMatrices> {
  const { columns } = x;
  return await kernelMatrices(x, y, (product) => {
    const base = product / columns + 1;
    return base * base * base;
  });
}

/** Kernel Inception Distance over the full sets: the unbiased MMD². May be negative. Takes `polynomialKernels`. */
export function kid(kernels: KernelMatrices): number {
  return squaredMmd(kernels, "unbiased");
}

/**
 * KID where pictures of one prompt, the real one's included, are not independent: over pairs of different prompts alone.
 * A set against itself has 0, where `kid` would fall below it.
 */
export function kidOverPrompts(kernels: KernelMatrices, units: ResamplingUnits): number {
  return squaredMmdOverUnits(kernels, units, "unbiased");
}

/** `kidOverPrompts` of every resample, see `bootstrapMmd`; `percentileInterval` of it is KID's interval. */
export async function bootstrapKid(
  kernels: KernelMatrices,
  units: ResamplingUnits,
  resamples: readonly Int32Array[],
): Promise<Float64Array> {
  return await bootstrapMmd(kernels, units, resamples, "unbiased");
}

/** KID as torch-fidelity reports it: mean and population standard deviation over subsets. */
export function kidOverSubsets(
  kernels: KernelMatrices,
  subsets: readonly SubsetPair[],
): { mean: number; standardDeviation: number } {
  const values = subsets.map(({ x, y }) =>
    kid({
      m: x.length,
      n: y.length,
      xx: gather(kernels.xx, kernels.m, x, x),
      yy: gather(kernels.yy, kernels.n, y, y),
      xy: gather(kernels.xy, kernels.n, x, y),
    }),
  );
  return { mean: mean(values), standardDeviation: standardDeviation(values) };
}

/** Subsets without replacement, of `size` rows or as many as the smaller set has; torch-fidelity's defaults. */
export function drawSubsets(m: number, n: number, seed: bigint, count = 100, size = 1000): SubsetPair[] {
  const rows = Math.min(size, m, n);
  return Array.from({ length: count }, (_, index) => {
    const stream = createPhiloxStream(seed, { iteration: 0, index, purpose: RANDOM_PURPOSE.subsets });
    return { x: choose(m, rows, stream), y: choose(n, rows, stream) };
  });
}

function gather(matrix: Float64Array, width: number, rows: Int32Array, columns: Int32Array): Float64Array {
  const out = new Float64Array(rows.length * columns.length);
  let o = 0;
  for (const i of rows) for (const j of columns) out[o++] = matrix[i * width + j]!;
  return out;
}

/** The head of a partial Fisher–Yates shuffle. */
function choose(from: number, count: number, stream: PhiloxStream): Int32Array {
  const order = Int32Array.from({ length: from }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const j = i + stream.integer(from - i);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order.slice(0, count);
}
