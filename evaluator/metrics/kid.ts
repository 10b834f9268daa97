import type { Features } from "./features.js";
import { type KernelMatrices, kernelMatrices } from "./kernel-matrices.js";
import { createPacer } from "./pacer.js";
import { mean, standardDeviation } from "./summary.js";

/** Rows of the two sets that make up one subset. */
export interface SubsetPair {
  readonly x: Int32Array;
  readonly y: Int32Array;
}

/** What was resampled: the unit (as a rule the prompt) that each row of either set belongs to. */
export interface ResamplingUnits {
  readonly x: Int32Array;
  readonly y: Int32Array;
}

/** KID's kernel (x · y / d + 1)³ over both sets (Bińkowski et al. 2018, "Demystifying MMD GANs", §4). */
export async function polynomialKernels(x: Features, y: Features): Promise<KernelMatrices> {
  const { columns } = x;
  return await kernelMatrices(x, y, (product) => (product / columns + 1) ** 3);
}

/** Kernel Inception Distance over the full sets: the unbiased MMD², diagonals of xx and yy left out. May be negative. */
export function kid({ m, n, xx, yy, xy }: KernelMatrices): number {
  const withinX = (sum(xx) - trace(xx, m)) / (m * (m - 1));
  const withinY = (sum(yy) - trace(yy, n)) / (n * (n - 1));
  return withinX + withinY - (2 * sum(xy)) / (m * n);
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
export function drawSubsets(m: number, n: number, random: () => number, count = 100, size = 1000): SubsetPair[] {
  const rows = Math.min(size, m, n);
  return Array.from({ length: count }, () => ({ x: choose(m, rows, random), y: choose(n, rows, random) }));
}

/**
 * KID of every resample, for bootstrap intervals; with the same resamples for two checkpoints the differences are paired.
 * A unit drawn twice weighs double, but no row is ever compared with its own copy: those entries would be the
 * diagonal again, which the unbiased estimate leaves out.
 * @param resamples units drawn with replacement, each array as long as there are units.
 * @returns one KID a resample; NaN where a resample left no two different rows to compare.
 */
export async function bootstrapKid(
  kernels: KernelMatrices,
  units: ResamplingUnits,
  resamples: readonly Int32Array[],
): Promise<Float64Array> {
  const pace = createPacer();
  const values = new Float64Array(resamples.length);
  for (const [r, resample] of resamples.entries()) {
    const copies = new Float64Array(resample.length);
    for (const unit of resample) copies[unit]! += 1;
    const wx = Float64Array.from(units.x, (unit) => copies[unit]!);
    const wy = Float64Array.from(units.y, (unit) => copies[unit]!);
    values[r] =
      withinWeighted(kernels.xx, wx) + withinWeighted(kernels.yy, wy) - 2 * acrossWeighted(kernels.xy, wx, wy);
    await pace();
  }
  return values;
}

/** Σ_{i≠j} w_i w_j k_ij / Σ_{i≠j} w_i w_j */
function withinWeighted(kernel: Float64Array, w: Float64Array): number {
  let weighted = 0;
  let weight = 0;
  for (let i = 0; i < w.length; i++) {
    if (w[i] === 0) continue;
    let row = 0;
    let rowWeight = 0;
    for (let j = 0; j < i; j++) {
      row += w[j]! * kernel[i * w.length + j]!;
      rowWeight += w[j]!;
    }
    weighted += w[i]! * row;
    weight += w[i]! * rowWeight;
  }
  return weighted / weight; // the kernel is symmetric: both halves have the same mean
}

/** Σ_ij w_i v_j k_ij / Σ_ij w_i v_j */
function acrossWeighted(kernel: Float64Array, w: Float64Array, v: Float64Array): number {
  let weighted = 0;
  for (let i = 0; i < w.length; i++) {
    if (w[i] === 0) continue;
    let row = 0;
    for (let j = 0; j < v.length; j++) row += v[j]! * kernel[i * v.length + j]!;
    weighted += w[i]! * row;
  }
  return weighted / (sum(w) * sum(v));
}

function sum(values: Float64Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

function trace(square: Float64Array, size: number): number {
  let total = 0;
  for (let i = 0; i < size; i++) total += square[i * (size + 1)]!;
  return total;
}

function gather(matrix: Float64Array, width: number, rows: Int32Array, columns: Int32Array): Float64Array {
  const out = new Float64Array(rows.length * columns.length);
  let o = 0;
  for (const i of rows) for (const j of columns) out[o++] = matrix[i * width + j]!;
  return out;
}

/** The head of a partial Fisher–Yates shuffle. */
function choose(from: number, count: number, random: () => number): Int32Array {
  const order = Int32Array.from({ length: from }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(random() * (from - i));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order.slice(0, count);
}
