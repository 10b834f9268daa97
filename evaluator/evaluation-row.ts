import type { Estimate } from "./metrics/bootstrap.js";
import type { ScoreSummary } from "./metrics/summary.js";

/** A value with its 95 % interval where one was computed. */
export interface Measured {
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}

/** One checkpoint's results over the evaluation's prompts: a row of the summary, the terminal's table and the report. */
export interface EvaluationRow {
  /** Name within the evaluation, as `spin-1`. */
  readonly name: string;
  /** Digest of the weights. */
  readonly digest: string;
  /** Optimiser steps since the base. */
  readonly steps: number;
  /** The first scorer's values, in its own units; higher is better. */
  readonly score: ScoreSummary;
  /** Mean cosine between picture and prompt, −1 to 1; higher is better. Absent where no scorer has embeddings. */
  readonly similarity?: number;
  /** Share of prompts on which it scores above the baseline, ties half, 0 to 1; ½ for the baseline itself. */
  readonly winRate: Estimate;
  /**
   * Kernel inception distance to the held-out winners; lower is better. Absent where no scorer has embeddings, or the
   * prompts no pictures.
   */
  readonly kid?: Measured;
  /** CLIP maximum mean discrepancy to the held-out winners, × 1000; lower is better. Absent where `kid` is. */
  readonly cmmd?: Measured;
}

/** What real held-out winners reach under the same measures; their distances are between two halves of them. */
export interface FloorRow {
  readonly score: ScoreSummary;
  readonly similarity?: number;
  readonly winRate?: Estimate;
  readonly kid?: Measured;
  readonly cmmd?: Measured;
}
