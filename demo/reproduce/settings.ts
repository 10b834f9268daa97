import { type IterationSettings, iterationSettings } from "../../cli/run/settings.js";

/** What is compared: supervised fine-tuning, Diffusion-DPO on labelled pairs, and three iterations of self-play. */
export const METHODS = ["sft", "dpo", "spin-1", "spin-2", "spin-3"] as const;
export type Method = (typeof METHODS)[number];

/** What the search changes; everything else is the same for all. */
export interface TrialSettings {
  readonly learningRate: number;
  /** Weight of the margin; SFT has none. */
  readonly beta?: number;
}

/** How much is trained and measured. */
export interface Budget {
  /** Optimiser steps of an iteration of self-play. SFT, DPO and going on with the first iteration take three times as many. */
  readonly steps: number;
  readonly batch: number;
  readonly draws: number;
  readonly warmup: number;
  readonly samplingSteps: number;
  readonly guidance: number;
  /** Most prompts of the validation and of the test part; 0: all. */
  readonly maxPrompts: number;
  /** Noises of the evaluations. */
  readonly noiseSeeds: readonly bigint[];
  /** Samples of the bootstrap: for the search, whose intervals nobody reads, and for the results. */
  readonly bootstrap: { readonly search: number; readonly results: number };
  /** Keys of the training noise: the first for the search, each for the results. */
  readonly seeds: readonly bigint[];
  /** Captions that pairs are made of, for DPO; 0: all. */
  readonly pairs: number;
  /** Steps of the labelling scorer: contrastive, then on preferences. */
  readonly labeller: readonly [contrastive: number, preference: number];
  /** Captions of each part that it sees, from the beginning; 0: all. */
  readonly labellerCaptions: number;
  /**
   * Settings tried. A trial of SFT or DPO takes as many optimiser steps as one of each iteration of self-play together, so
   * that every method has the same budget.
   */
  readonly grid: Readonly<Record<Method, readonly TrialSettings[]>>;
}

const products = (rates: readonly number[], betas: readonly number[]): TrialSettings[] =>
  rates.flatMap((learningRate) => betas.map((beta) => ({ learningRate, beta })));

const SPIN_GRID = products([1e-5, 3e-5], [5000, 20_000]);

export const FULL: Budget = {
  steps: 40,
  batch: 8,
  draws: 4,
  warmup: 5,
  samplingSteps: 20,
  guidance: 2,
  maxPrompts: 0,
  noiseSeeds: [1000n],
  bootstrap: { search: 100, results: 2000 },
  seeds: [5775709n, 5775710n, 5775711n],
  pairs: 0,
  labeller: [400, 100],
  labellerCaptions: 0,
  grid: {
    sft: [3e-5, 1e-4, 2e-4, 4e-4].map((learningRate) => ({ learningRate })),
    dpo: products([1e-5, 3e-5], [2000, 10_000]),
    "spin-1": SPIN_GRID,
    "spin-2": SPIN_GRID,
    "spin-3": SPIN_GRID,
  },
};

/** The same in a minute or two, to see that everything goes together; its figures mean nothing. */
export const QUICK: Budget = {
  ...FULL,
  steps: 1,
  batch: 2,
  draws: 1,
  warmup: 0,
  samplingSteps: 2,
  maxPrompts: 4,
  bootstrap: { search: 100, results: 100 },
  seeds: [1n],
  pairs: 8,
  labeller: [1, 1],
  labellerCaptions: 40,
  grid: {
    sft: [{ learningRate: 1e-5 }, { learningRate: 1e-4 }],
    dpo: products([1e-5], [2000]),
    "spin-1": products([1e-5], [5000]),
    "spin-2": products([1e-5], [5000]),
    "spin-3": products([1e-5], [5000]),
  },
};

/** What `reproduce` trains with where no search has been made: the demo's settings. */
export const UNSEARCHED: Readonly<Record<Method, TrialSettings>> = {
  sft: { learningRate: 1e-4 },
  dpo: { learningRate: 1e-5, beta: 5000 },
  "spin-1": { learningRate: 1e-5, beta: 5000 },
  "spin-2": { learningRate: 1e-5, beta: 20_000 },
  "spin-3": { learningRate: 1e-5, beta: 20_000 },
};

/** Optimiser steps of one training of a method. */
export function stepsOf(method: Method, { steps }: Budget): number {
  return isSelfPlay(method) ? steps : 3 * steps;
}

export function isSelfPlay(method: Method): boolean {
  return method.startsWith("spin");
}

/** Everything that one iteration is trained with. */
export function trainingSettings(
  method: Method,
  trial: TrialSettings,
  budget: Budget,
  steps: number,
): IterationSettings {
  return iterationSettings.parse({
    objective: isSelfPlay(method) ? "spin-renoised" : method,
    ...trial,
    steps,
    batch: budget.batch,
    draws: budget.draws,
    samplingBatch: budget.batch,
    warmup: budget.warmup,
    samplingSteps: budget.samplingSteps,
    guidance: 1, // the opponent plays without
    promptDropout: 0.1,
    checkpointInterval: steps > budget.steps ? budget.steps : 0,
    ...(method !== "sft" && { divergenceStop: true }),
  });
}
