import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { createPacer } from "./pacer.js";
import { quantile, sorted } from "./summary.js";

/** Bounds of an interval; 95 % unless said otherwise. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A value with its interval. */
export interface Estimate extends Interval {
  readonly value: number;
}

/** Purposes of the random numbers drawn here; resample r, or subset r, is the stream of index r. */
export const RANDOM_PURPOSE = { resamples: 0, subsets: 1 } as const;

/**
 * Index sets drawn with replacement, a function of the seed alone. One list serves every statistic of an evaluation, so
 * that differences between checkpoints are paired.
 * @param size number of units (as a rule prompts), which is also the length of each resample.
 */
export async function drawResamples(size: number, count: number, seed: bigint): Promise<Int32Array[]> {
  const pace = createPacer();
  const resamples: Int32Array[] = [];
  for (let index = 0; index < count; index++) {
    const stream = createPhiloxStream(seed, { iteration: 0, index, purpose: RANDOM_PURPOSE.resamples });
    resamples.push(Int32Array.from({ length: size }, () => stream.integer(size)));
    await pace();
  }
  return resamples;
}

/**
 * The percentile interval of bootstrap replicates: quantiles (1 − level)/2 and (1 + level)/2, linear between neighbours.
 * Replicates for which the statistic is undefined (NaN) are left out.
 */
export function percentileInterval(replicates: ArrayLike<number>, level = 0.95): Interval {
  const ascending = sorted(Array.from(replicates).filter((value) => !Number.isNaN(value)));
  return { low: quantile(ascending, (1 - level) / 2), high: quantile(ascending, (1 + level) / 2) };
}

/**
 * Bootstrap intervals of the means of several columns over the same resamples, one value a unit in each. For a paired
 * test pass the differences. Other work gets its turn between resamples.
 */
export async function meanIntervals(
  columns: readonly ArrayLike<number>[],
  resamples: readonly Int32Array[],
  level = 0.95,
): Promise<Interval[]> {
  const width = columns.length;
  const units = columns[0]?.length ?? 0;
  // A unit's values lie side by side, so that one look at memory serves all columns.
  const table = new Float64Array(units * width);
  for (const [c, column] of columns.entries()) {
    for (let unit = 0; unit < units; unit++) table[unit * width + c] = column[unit]!;
  }
  const replicates = columns.map(() => new Float64Array(resamples.length));
  const totals = new Float64Array(width);
  const pace = createPacer();
  for (const [r, resample] of resamples.entries()) {
    totals.fill(0);
    for (let i = 0; i < resample.length; i++) {
      const start = resample[i]! * width;
      for (let c = 0; c < width; c++) totals[c]! += table[start + c]!;
    }
    for (let c = 0; c < width; c++) replicates[c]![r] = totals[c]! / resample.length;
    await pace();
  }
  return replicates.map((values) => percentileInterval(values, level));
}

/**
 * Mean of the values of each unit. Several pictures of one prompt are not independent: average them first, then resample
 * prompts.
 * @param units unit 0 … numUnits − 1 of each value; every unit occurs.
 */
export function unitMeans(values: ArrayLike<number>, units: Int32Array): Float64Array {
  const numUnits = 1 + units.reduce((largest, unit) => Math.max(largest, unit), -1);
  const totals = new Float64Array(numUnits);
  const counts = new Float64Array(numUnits);
  for (const [i, unit] of units.entries()) {
    totals[unit]! += values[i]!;
    counts[unit]! += 1;
  }
  return totals.map((total, unit) => total / counts[unit]!);
}
