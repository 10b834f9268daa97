import type { EvaluationRow, FloorRow, Measured } from "../evaluation-row.js";
import type { Estimate } from "../metrics/bootstrap.js";
import type { ScoreSummary } from "../metrics/summary.js";

/** All that the HTML report shows. Plain data: it survives JSON. */
export interface Report {
  readonly title: string;
  /** Name of the checkpoint that win rates are over. */
  readonly baseline: string;
  /** In the order of the table, the baseline first. */
  readonly checkpoints: readonly EvaluationRow[];
  /** What real held-out winners reach; absent where the prompts have no images. */
  readonly floor?: FloorRow;
  /** Name of a second checkpoint that win rates are given over, as the paper's Diffusion-DPO. */
  readonly reference?: string;
  /** The scorers; the first one's values are in the rows and decide win rates. */
  readonly scorers: readonly ReportScorer[];
  /** Over all scorers, for each checkpoint; absent where there is one scorer alone. */
  readonly average?: readonly ScorerResult[];
  /** The baseline and the iterations of self-play from it, in order, by name. */
  readonly selfPlay: readonly string[];
  readonly comparisons: readonly ReportComparison[];
  readonly pictures: PictureGrid;
  /** Training curves, one entry an iteration. */
  readonly iterations: readonly IterationCurve[];
  /** How long training was estimated to take and took; absent where no estimate was made. */
  readonly estimate?: { readonly plannedSeconds: number; readonly measuredSeconds: number };
  readonly lineage: readonly LineageEntry[];
  /** What ran when; absent where there was no trace. */
  readonly timeline?: ReportTimeline;
  /** How the evaluation was done: prompts, sampler, guidance, seeds, intervals … */
  readonly protocol: Settings;
  /** Fingerprint of the computation. */
  readonly fingerprint: string;
  /** Wall-clock seconds of the whole run. */
  readonly seconds: number;
}

/** Names and values for people to read, in the order given. */
export type Settings = Readonly<Record<string, string | number>>;

export interface ReportScorer {
  readonly name: string;
  readonly digest: string;
  /** Share of held-out pairs that it orders rightly, ties half. */
  readonly pairAccuracy?: number;
  /** This scorer's values for each checkpoint, in the checkpoints' order. */
  readonly results: readonly ScorerResult[];
}

export interface ScorerResult extends ScoreSummary {
  /** Over the baseline; absent for the baseline itself. */
  readonly winRate?: Estimate;
  /** Over the reference; absent for the reference itself, and where there is none. */
  readonly overReference?: Estimate;
}

/** How checkpoint a stands to checkpoint b on the same prompts and noise, under the first scorer. */
export interface ReportComparison {
  readonly a: string;
  readonly b: string;
  readonly winRate: Estimate;
  /** Two-sided p of the sign test over prompts. */
  readonly signTest?: number;
  /** Mean score of a less that of b. */
  readonly meanDifference: Measured;
  /** KID of a less that of b: negative where a is nearer to the winners. */
  readonly kidDifference?: Measured;
}

/** Pictures of the same prompts and noise: a row a prompt, a column a source. */
export interface PictureGrid {
  /** Headings: the real winner, then checkpoints by name. */
  readonly columns: readonly string[];
  readonly rows: readonly PictureRow[];
}

export interface PictureRow {
  readonly prompt: string;
  /** One a column; null where there is none. */
  readonly pictures: readonly (Picture | null)[];
}

export interface Picture {
  /** The PNG file, in base64. */
  readonly png: string;
  /** The first scorer's value. */
  readonly score?: number;
}

/** Training of one iteration. */
export interface IterationCurve {
  /** Name of the checkpoint that came out. */
  readonly name: string;
  /** Name of θ_k, which margins and error changes are against; absent for SFT, which has neither. */
  readonly opponent?: string;
  readonly steps: readonly StepPoint[];
}

/** One optimiser step; the contract's StepMetrics has these fields and more. */
export interface StepPoint {
  /** From 1. */
  readonly step: number;
  readonly loss: number;
  /** Mean argument of the logistic. */
  readonly margin: number;
  /** Share of positive margins, 0 to 1. */
  readonly implicitAccuracy: number;
  /** Mean of e − e_k on the real side. */
  readonly realErrorChange: number;
  /** Mean of e' − e'_k on the synthetic side. */
  readonly syntheticErrorChange: number;
  /** Global norms of the gradient before clipping, and of the change that the step made. */
  readonly gradNorm?: number;
  readonly updateNorm?: number;
  /** Share of draws whose logistic is saturated, 0 to 1. */
  readonly saturatedShare?: number;
}

/** What ran when, in seconds. */
export interface ReportTimeline {
  readonly seconds: number;
  readonly lanes: readonly {
    readonly name: string;
    readonly spans: readonly {
      readonly kind: string;
      readonly start: number;
      readonly end: number;
      readonly label: string;
    }[];
  }[];
}

/** Where a checkpoint comes from. */
export interface LineageEntry {
  readonly name: string;
  readonly digest: string;
  /** Name of the checkpoint it was trained from; absent for the base. */
  readonly parent?: string;
  /** Optimiser steps since the base. */
  readonly steps: number;
  readonly dataDigest?: string;
  readonly seed?: number | string;
  /** Objective, learning rate, β, batch … */
  readonly settings: Settings;
}
