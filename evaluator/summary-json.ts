import { SpinError } from "../core/errors.js";
import type { EvaluationRow } from "./evaluation-row.js";
import type { Estimate } from "./metrics/bootstrap.js";
import type { ScoreSummary } from "./metrics/summary.js";

/** One checkpoint in `summary.json`. */
export interface SummaryCheckpoint {
  readonly name: string;
  readonly digest: string;
  /** Optimiser steps since the base. */
  readonly steps: number;
  readonly score: ScoreSummary;
  /** Left out where there is none, as `kid` and `cmmd` are. */
  readonly similarity?: number;
  /** Over the baseline, in [0, 1]. */
  readonly winRate: Estimate;
  readonly kid?: number;
  readonly cmmd?: number;
}

/** The machine-readable outcome of a run of base, fine-tuning and evaluation. */
export interface Summary {
  readonly checkpoints: readonly SummaryCheckpoint[];
  /** Fingerprint of the computation: runtime, provider, instruction set, threads. */
  readonly fingerprint: string;
  /** Wall-clock seconds of the whole run. */
  readonly seconds: number;
}

/**
 * Builds the summary: just its own fields, in a fixed order.
 * @throws SpinError `internal` where a figure is not finite, which JSON would silently write as null.
 */
export function buildSummary(rows: readonly EvaluationRow[], fingerprint: string, seconds: number): Summary {
  const summary: Summary = {
    checkpoints: rows.map(({ name, digest, steps, score, similarity, winRate, kid, cmmd }) => ({
      name,
      digest,
      steps,
      score: { mean: score.mean, median: score.median },
      similarity,
      winRate: { value: winRate.value, low: winRate.low, high: winRate.high },
      kid: kid?.value,
      cmmd: cmmd?.value,
    })),
    fingerprint,
    seconds,
  };
  for (const checkpoint of summary.checkpoints) requireFinite(checkpoint, checkpoint.name);
  requireFinite({ seconds }, "summary");
  return summary;
}

/** The text of `summary.json`. */
export function summaryJson(summary: Summary): string {
  return `${JSON.stringify(summary, undefined, 2)}\n`;
}

function requireFinite(fields: object, path: string): void {
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value === "object" && value !== null) requireFinite(value, `${path}.${key}`);
    else if (typeof value === "number" && !Number.isFinite(value)) {
      throw new SpinError("internal", `the summary's ${path}.${key} is ${value}, not a finite number`);
    }
  }
}
