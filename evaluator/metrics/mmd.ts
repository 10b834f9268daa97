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
 * The squared MMD where rows of one unit are not independent, as pictures of one prompt, or a picture and the real one of
 * its prompt. `unbiased` is then a mean over pairs of different units alone (Gretton et al. 2012, equation 4, which for
 * paired sets leaves k(x_i, y_i) out); `biased` is `squaredMmd`.
 */
export function squaredMmdOverUnits(kernels: KernelMatrices, units: ResamplingUnits, estimator: MmdEstimator): number {
  const numUnits = 1 + [...units.x, ...units.y].reduce((largest, unit) => Math.max(largest, unit), -1);
  return estimateOf(unitTerms(kernels, units, numUnits), new Float64Array(numUnits).fill(1), estimator);
}

/**
 * The squared MMD over units of every resample, for bootstrap intervals; with the same resamples for two checkpoints the
 * differences are paired. A unit drawn twice weighs double, but is not paired with its own copy, whose rows are alike or
 * the same: of pairs within one unit `biased` keeps just the share that the estimate itself has.
 * @param resamples units drawn with replacement, each array as long as there are units.
 * @returns one value a resample; NaN where a resample left no two different units to compare.
 */
export async function bootstrapMmd(
  kernels: KernelMatrices,
  units: ResamplingUnits,
  resamples: readonly Int32Array[],
  estimator: MmdEstimator,
): Promise<Float64Array> {
  const numUnits = resamples[0]?.length ?? 0;
  const terms = unitTerms(kernels, units, numUnits);
  const pace = createPacer();
  const values = new Float64Array(resamples.length);
  for (const [r, resample] of resamples.entries()) {
    const copies = new Float64Array(numUnits);
    for (const unit of resample) copies[unit]! += 1;
    values[r] = estimateOf(terms, copies, estimator);
    await pace();
  }
  return values;
}

/** A kernel matrix summed by units of its rows and columns: all that a resample of units needs. */
interface UnitTerm {
  /** Σ k over the rows of one unit and the columns of another; 0 for one and the same. [units, units] */
  readonly apart: Float64Array;
  /** Σ k over the rows and columns of one unit. [units] */
  readonly together: Float64Array;
  /** Rows of a unit. [units] */
  readonly rows: Float64Array;
  /** Columns of a unit. [units] */
  readonly columns: Float64Array;
  /** Pairs of a row and a column of one unit, as part of all pairs. */
  readonly togetherShare: number;
}

/** Within x, within y, across. */
type UnitTerms = readonly [xx: UnitTerm, yy: UnitTerm, xy: UnitTerm];

function unitTerms({ xx, yy, xy }: KernelMatrices, { x, y }: ResamplingUnits, numUnits: number): UnitTerms {
  return [unitTerm(xx, x, x, numUnits), unitTerm(yy, y, y, numUnits), unitTerm(xy, x, y, numUnits)];
}

function unitTerm(kernel: Float64Array, rowUnits: Int32Array, columnUnits: Int32Array, numUnits: number): UnitTerm {
  const apart = new Float64Array(numUnits ** 2);
  let k = 0;
  for (const row of rowUnits) {
    const start = row * numUnits;
    for (let j = 0; j < columnUnits.length; j++) apart[start + columnUnits[j]!]! += kernel[k++]!;
  }
  const together = diagonal(apart, numUnits);
  for (let unit = 0; unit < numUnits; unit++) apart[unit * (numUnits + 1)] = 0;
  const [rows, columns] = [countUnits(rowUnits, numUnits), countUnits(columnUnits, numUnits)];
  return { apart, together, rows, columns, togetherShare: dot(rows, columns) / kernel.length };
}

function countUnits(units: Int32Array, numUnits: number): Float64Array {
  const counts = new Float64Array(numUnits);
  for (const unit of units) counts[unit]! += 1;
  return counts;
}

function estimateOf([xx, yy, xy]: UnitTerms, copies: Float64Array, estimator: MmdEstimator): number {
  return meanKernel(xx, copies, estimator) + meanKernel(yy, copies, estimator) - 2 * meanKernel(xy, copies, estimator);
}

function meanKernel(term: UnitTerm, copies: Float64Array, estimator: MmdEstimator): number {
  let pairsTogether = 0; // each copy of a unit by itself
  let pairsWithCopies = 0; // and with its other copies
  for (let u = 0; u < copies.length; u++) {
    const pairs = term.rows[u]! * term.columns[u]! * copies[u]!;
    pairsTogether += pairs;
    pairsWithCopies += pairs * copies[u]!;
  }
  const apart = quadratic(term.apart, copies) / (dot(term.rows, copies) * dot(term.columns, copies) - pairsWithCopies);
  if (estimator === "unbiased" || term.togetherShare === 0) return apart;
  const together = dot(term.together, copies) / pairsTogether;
  return apart + term.togetherShare * (together - apart);
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
