import type { SamplerName } from "../../core/diffusion/pipeline-sampler.js";
import type { CheckpointRef } from "../../proto/gen/spin/v1/checkpoint.js";

export const OBJECTIVES = ["spin", "spin-renoised", "sft", "dpo"] as const;
export const TIMESTEP_RULES = ["uniform", "stratified", "all"] as const;
export const RATE_SCHEDULES = ["constant", "linear", "cosine"] as const;

/** What one iteration does; every iteration of a run does the same. */
export interface IterationSettings {
  readonly objective: (typeof OBJECTIVES)[number];
  readonly beta: number;
  readonly lambda?: number;
  readonly errorSpace: "epsilon" | "mu";
  readonly reduction: "mean" | "sum";
  readonly steps: number;
  /** Samples per optimiser step. */
  readonly batch: number;
  /** Draws from each sample. */
  readonly draws: number;
  readonly timesteps: (typeof TIMESTEP_RULES)[number];
  readonly microBatch: number;
  readonly checkpointInterval: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  readonly schedule: (typeof RATE_SCHEDULES)[number];
  readonly warmup: number;
  readonly scheduleSteps: number;
  readonly samplingSteps: number;
  /** Of the opponent; default: DDIM. */
  readonly sampler?: SamplerName;
  readonly eta: number;
  readonly guidance: number;
  readonly promptDropout: number;
  readonly crop: "center" | "random";
  readonly flip: number;
  readonly resolution: number;
  /** Trains a LoRA of this rank; default: all weights. */
  readonly loraRank?: number;
  /** Default: the rank. */
  readonly loraAlpha?: number;
  /** Layers by name, or what their names end with; default: the attention projections. */
  readonly loraTargets?: readonly string[];
  /** Samples that a generator computes together; default: the largest divisor of the batch up to 16. */
  readonly samplingBatch?: number;
}

/** A run. */
export interface RunSettings extends IterationSettings {
  readonly base: CheckpointRef;
  readonly dataset: string;
  readonly split: string;
  readonly seed: bigint;
  /** K. */
  readonly iterations: number;
}
