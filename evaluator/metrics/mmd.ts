import { type Features, requireComparable } from "./features.js";
import { gram } from "./gram.js";
import { createPacer } from "./pacer.js";

/** A kernel evaluated on every pair within and across two sets of m and n pictures. */
export interface KernelMatrices {
  readonly m: number;
  readonly n: number;
  /** [m, m] */
  readonly xx: Float64Array;
  /** [n, n] */
  readonly yy: Float64Array;
  /** [m, n] */
  readonly xy: Float64Array;
}

/** What is resampled: the unit (as a rule the prompt), 0 …, that each row of either set belongs to. */
export interface ResamplingUnits {
  readonly x: Int32Array;
  readonly y: Int32Array;
}

/** `unbiased` leaves the diagonals of xx and yy out (a U-statistic, may be negative), `biased` keeps them (a V-statistic). */
export type MmdEstimator = "unbiased" | "biased";

/** Inner products within and across both sets, mapped by a kernel that is a function of the inner product alone. */
export async function kernelMatrices(
  x: Features,
  y: Features,
  kernel: (product: number) => number,
): Promise<KernelMatrices> {
  requireComparable(x, y, 2);
  const map = (products: Float64Array): Float64Array => {
    for (let i = 0; i < products.length; i++) products[i] = kernel(products[i]!);
    return products;
  };
  return {
    m: x.rows,
    n: y.rows,
    xx: map(await gram(x, x)),
    yy: map(await gram(y, y)),
    xy: map(await gram(x, y)),
  };
}

/** The squared maximum mean discrepancy of two sets (Gretton et al. 2012, equations 3 and 5). */
export function squaredMmd({ m, n, xx, yy, xy }: KernelMatrices, estimator: MmdEstimator): number {
  const within = (kernel: Float64Array, size: number): number =>
    estimator === "biased"
      ? sum(kernel) / size ** 2
      : (sum(kernel) - sum(diagonal(kernel, size))) / (size * (size - 1));
  return within(xx, m) + within(yy, n) - (2 * sum(xy)) / (m * n);
}

/**
 * The squared MMD of every resample, for bootstrap intervals; with the same resamples for two checkpoints the
 * differences are paired. A unit drawn twice weighs double, but a row paired with its own copy is left out: it would be
 * the diagonal again. Of the diagonal `biased` keeps just the share 1/m that the estimate itself has.
 * @param resamples units drawn with replacement, each array as long as there are units.
 * @returns one value a resample; NaN where a resample left no two different rows to compare.
 */
export async function bootstrapMmd(
  kernels: KernelMatrices,
  units: ResamplingUnits,
  resamples: readonly Int32Array[],
  estimator: MmdEstimator,
): Promise<Float64Array> {
  const numUnits = resamples[0]?.length ?? 0;
  const x = within(kernels.xx, units.x, numUnits);
  const y = within(kernels.yy, units.y, numUnits);
  const across = blockSums(kernels.xy, units.x, units.y, numUnits);
  const pace = createPacer();
  const values = new Float64Array(resamples.length);
  for (const [r, resample] of resamples.entries()) {
    const copies = new Float64Array(numUnits);
    for (const unit of resample) copies[unit]! += 1;
    values[r] =
      resampledWithin(x, copies, estimator) +
      resampledWithin(y, copies, estimator) -
      (2 * quadratic(across, copies)) / (dot(x.rows, copies) * dot(y.rows, copies));
    await pace();
  }
  return values;
}

/** One set's kernel, summed over the rows of each pair of units: all that a resample of units needs. */
interface UnitSums {
  /** Σ k_ij over rows i of the one unit and j ≠ i of the other. [units, units] */
  readonly pairs: Float64Array;
  /** Σ k_ii over the rows of a unit. [units] */
  readonly diagonal: Float64Array;
  /** Rows of a unit. [units] */
  readonly rows: Float64Array;
  readonly totalRows: number;
}

function within(kernel: Float64Array, units: Int32Array, numUnits: number): UnitSums {
  const pairs = blockSums(kernel, units, units, numUnits);
  const sums = new Float64Array(numUnits);
  const rows = new Float64Array(numUnits);
  for (const [i, value] of diagonal(kernel, units.length).entries()) {
    const unit = units[i]!;
    pairs[unit * (numUnits + 1)]! -= value;
    sums[unit]! += value;
    rows[unit]! += 1;
  }
  return { pairs, diagonal: sums, rows, totalRows: units.length };
}

function blockSums(kernel: Float64Array, rows: Int32Array, columns: Int32Array, numUnits: number): Float64Array {
  const sums = new Float64Array(numUnits ** 2);
  let k = 0;
  for (const row of rows) {
    const start = row * numUnits;
    for (let j = 0; j < columns.length; j++) sums[start + columns[j]!]! += kernel[k++]!;
  }
  return sums;
}

function resampledWithin(set: UnitSums, copies: Float64Array, estimator: MmdEstimator): number {
  const rows = dot(set.rows, copies);
  let sameRow = 0; // pairs of a row with itself or its copy
  for (let u = 0; u < copies.length; u++) sameRow += set.rows[u]! * copies[u]! ** 2;
  const apart = quadratic(set.pairs, copies) / (rows ** 2 - sameRow);
  if (estimator === "unbiased") return apart;
  return apart + (dot(set.diagonal, copies) / rows - apart) / set.totalRows;
}

/** Σ_uv c_u c_v a_uv */
function quadratic(a: Float64Array, c: Float64Array): number {
  let total = 0;
  for (let u = 0; u < c.length; u++) {
    if (c[u] === 0) continue;
    const start = u * c.length;
    let row = 0;
    for (let v = 0; v < c.length; v++) row += c[v]! * a[start + v]!;
    total += c[u]! * row;
  }
  return total;
}

function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}

function sum(values: Float64Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

function diagonal(square: Float64Array, size: number): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => square[i * (size + 1)]!);
}
