import { CropKind, TimestepChoice } from "../../proto/gen/spin/v1/sampling.js";
import { DataType } from "../../proto/gen/spin/v1/tensor.js";
import {
  ErrorReduction,
  ErrorSpace,
  IterationSpec,
  RateScheduleKind,
  SpinObjective,
} from "../../proto/gen/spin/v1/training.js";
import { samplerKind } from "../sampler-options.js";
import type { IterationSettings } from "./settings.js";

/** The contract's form of an iteration's settings; what does not go together, the trainer tells. */
export function toIterationSpec(settings: IterationSettings, displayName: string): IterationSpec {
  return IterationSpec.fromPartial({
    displayName,
    objective: objectiveOf(settings),
    sampling: {
      ...(needsSampler(settings) ? { sampler: samplerOf(settings) } : {}),
      timestepChoice: TIMESTEP_CHOICES[settings.timesteps],
      drawsPerSample: settings.draws,
      promptDropout: settings.promptDropout,
      image: {
        resolution: settings.resolution,
        crop: settings.crop === "center" ? CropKind.CROP_KIND_CENTER : CropKind.CROP_KIND_RANDOM,
        flipProbability: settings.flip,
      },
      dtype: DataType.DATA_TYPE_FLOAT32,
      batchSize: settings.samplingBatch ?? largestDivisor(settings.batch, MAX_SAMPLING_BATCH),
    },
    optimizer: {
      learningRate: settings.learningRate,
      weightDecay: settings.weightDecay,
      maxGradNorm: settings.maxGradNorm,
      schedule: RATE_SCHEDULE_KINDS[settings.schedule],
      warmupSteps: settings.warmup,
      scheduleSteps: settings.scheduleSteps,
    },
    numSteps: settings.steps,
    batchSize: settings.batch,
    microBatchSize: settings.microBatch,
    checkpointInterval: settings.checkpointInterval,
    lora: loraOf(settings),
  });
}

/** An alpha or targets without a rank go to the trainer all the same, which asks for one. */
function loraOf({ loraRank, loraAlpha, loraTargets }: IterationSettings) {
  if (loraRank === undefined && loraAlpha === undefined && loraTargets === undefined) return undefined;
  return { rank: loraRank ?? 0, alpha: loraAlpha, targetModules: [...(loraTargets ?? [])] };
}

/** Larger ones take more memory and are hardly faster on a CPU. */
const MAX_SAMPLING_BATCH = 16;

const TIMESTEP_CHOICES = {
  uniform: TimestepChoice.TIMESTEP_CHOICE_UNIFORM,
  stratified: TimestepChoice.TIMESTEP_CHOICE_STRATIFIED,
  all: TimestepChoice.TIMESTEP_CHOICE_ALL,
};

const RATE_SCHEDULE_KINDS = {
  constant: RateScheduleKind.RATE_SCHEDULE_KIND_CONSTANT,
  linear: RateScheduleKind.RATE_SCHEDULE_KIND_LINEAR,
  cosine: RateScheduleKind.RATE_SCHEDULE_KIND_COSINE,
};

function objectiveOf(settings: IterationSettings): IterationSpec["objective"] {
  const { objective, beta, lambda, errorSpace, reduction } = settings;
  switch (objective) {
    case "spin": {
      const weight =
        lambda === undefined
          ? ({ $case: "beta", value: beta } as const)
          : ({ $case: "lambda", value: lambda } as const);
      const value = SpinObjective.fromPartial({
        weight,
        errorSpace: errorSpace === "mu" ? ErrorSpace.ERROR_SPACE_MU : ErrorSpace.ERROR_SPACE_EPSILON,
        reduction: reduction === "sum" ? ErrorReduction.ERROR_REDUCTION_SUM : ErrorReduction.ERROR_REDUCTION_MEAN,
      });
      return { $case: "spin", value };
    }
    case "spin-renoised":
      return { $case: "spinRenoised", value: { beta } };
    case "sft":
      return { $case: "sft", value: {} };
    case "dpo":
      return { $case: "dpo", value: { beta } };
  }
}

/** Only self-play samples. */
function needsSampler({ objective }: IterationSettings): boolean {
  return objective === "spin" || objective === "spin-renoised";
}

function samplerOf({ sampler, samplingSteps, eta, guidance }: IterationSettings) {
  return { kind: samplerKind(sampler ?? "ddim"), numSteps: samplingSteps, eta, guidanceScale: guidance };
}

/** The largest divisor of a number that is not above a limit. */
export function largestDivisor(of: number, limit: number): number {
  let divisor = Math.min(of, limit);
  while (of % divisor !== 0) divisor -= 1;
  return divisor;
}
