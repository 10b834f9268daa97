import { CropKind, SamplerKind, type SamplingSettings, TimestepChoice } from "../proto/gen/spin/v1/sampling.js";
import { DataType } from "../proto/gen/spin/v1/tensor.js";
import { IterationSpec, type OptimizerSettings, RateScheduleKind } from "../proto/gen/spin/v1/training.js";

/** The demo's settings: SFT against two SPIN iterations, at equal optimiser steps in total. */
export const RECIPE = {
  /** Optimiser steps of each SPIN iteration; SFT takes both iterations' worth. */
  stepsPerIteration: 60,
  /** Samples a step, and draws from each: generator and trainer then take about equally long. */
  batchSize: 8,
  drawsPerSample: 4,
  /** Sampling steps, for the opponent's trajectories and for the evaluation. */
  samplingSteps: 20,
  /** Guidance of the evaluation; the opponent plays without. */
  evaluationGuidance: 2,
  evaluationSeeds: [1000n],
  seed: 5775709n,
  spinLearningRate: 1e-5,
  sftLearningRate: 1e-4,
  /** Of each iteration, in noise space; rising, as the paper's own is from the first to the second. */
  betas: [5000, 20_000],
  warmupSteps: 5,
} as const;

const OPTIMIZER: Partial<OptimizerSettings> = {
  schedule: RateScheduleKind.RATE_SCHEDULE_KIND_CONSTANT,
  warmupSteps: RECIPE.warmupSteps,
};

const SAMPLING: Partial<SamplingSettings> = {
  timestepChoice: TimestepChoice.TIMESTEP_CHOICE_STRATIFIED,
  drawsPerSample: RECIPE.drawsPerSample,
  promptDropout: 0.1,
  image: { resolution: 0, crop: CropKind.CROP_KIND_CENTER, flipProbability: 0 },
  dtype: DataType.DATA_TYPE_FLOAT32,
  batchSize: RECIPE.batchSize,
  threads: 1,
};

/** Supervised fine-tuning on the winners. */
export const SFT: IterationSpec = IterationSpec.fromPartial({
  displayName: "sft",
  objective: { $case: "sft", value: {} },
  sampling: SAMPLING,
  optimizer: { ...OPTIMIZER, learningRate: RECIPE.sftLearningRate },
  numSteps: 2 * RECIPE.stepsPerIteration,
  batchSize: RECIPE.batchSize,
});

/** An iteration of self-play, in the re-noised form. */
export const spin = (k: 1 | 2): IterationSpec =>
  IterationSpec.fromPartial({
    displayName: `spin-${k}`,
    objective: { $case: "spinRenoised", value: { beta: RECIPE.betas[k - 1] } },
    sampling: {
      ...SAMPLING,
      sampler: { kind: SamplerKind.SAMPLER_KIND_DDIM, numSteps: RECIPE.samplingSteps, eta: 0, guidanceScale: 1 },
    },
    optimizer: { ...OPTIMIZER, learningRate: RECIPE.spinLearningRate },
    numSteps: RECIPE.stepsPerIteration,
    batchSize: RECIPE.batchSize,
  });
