import { SpinError } from "../../core/errors.js";

/** Mean and median of one scorer over a set of pictures, as the paper's tables give them. */
export interface ScoreSummary {
  readonly mean: number;
  readonly median: number;
}

/** @throws SpinError `invalid` for an empty list. */
export function mean(values: ArrayLike<number>): number {
  requireSome(values);
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total / values.length;
}

/** Population standard deviation (division by n), as numpy's and torch-fidelity's. */
export function standardDeviation(values: ArrayLike<number>): number {
  const centre = mean(values);
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i]! - centre) ** 2;
  return Math.sqrt(squares / values.length);
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: ArrayLike<number>): number {
  return quantile(sorted(values), 0.5);
}

/** @throws SpinError `invalid` for an empty list or a score that is not finite. */
export function summarise(scores: ArrayLike<number>): ScoreSummary {
  const bad = Array.from(scores).findIndex((score) => !Number.isFinite(score));
  if (bad >= 0) throw new SpinError("invalid", `score ${bad} is ${scores[bad]}, not a finite number`);
  return { mean: mean(scores), median: median(scores) };
}

/** The paper's "Average" column: the plain mean of the scorers' means and of their medians. */
export function averageOfScores(summaries: readonly ScoreSummary[]): ScoreSummary {
  return { mean: mean(summaries.map((s) => s.mean)), median: mean(summaries.map((s) => s.median)) };
}

/** Quantile of ascending values, linear between neighbours (numpy's default). `q` in [0, 1]. */
export function quantile(ascending: Float64Array, q: number): number {
  requireSome(ascending);
  const position = q * (ascending.length - 1);
  const below = Math.floor(position);
  const low = ascending[below]!;
  const high = ascending[Math.min(below + 1, ascending.length - 1)]!;
  return low + (position - below) * (high - low);
}

/** An ascending copy. */
export function sorted(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values).sort();
}

function requireSome(values: ArrayLike<number>): void {
  if (values.length === 0) throw new SpinError("invalid", "a summary of no values was asked for");
}
