import { largestDivisor } from "../../core/largest-divisor.js";
import { CropKind, TimestepChoice } from "../../proto/gen/spin/v1/sampling.js";
import { DataType } from "../../proto/gen/spin/v1/tensor.js";
import {
  DpoLoss,
  ErrorReduction,
  ErrorSpace,
  IterationSpec,
  Precision,
  RateScheduleKind,
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
      // Whole trajectories have a draw at every step, whatever is said of draws.
      timestepChoice: TIMESTEP_CHOICES[isExact(settings) ? "all" : settings.timesteps],
      drawsPerSample: isExact(settings) ? settings.samplingSteps : settings.draws,
      promptDropout: settings.promptDropout,
      image: {
        resolution: settings.resolution,
        crop: settings.crop === "center" ? CropKind.CROP_KIND_CENTER : CropKind.CROP_KIND_RANDOM,
        flipProbability: settings.flip,
      },
      dtype: DataType.DATA_TYPE_FLOAT32,
      batchSize: settings.samplingBatch ?? largestDivisor(settings.batch, isExact(settings) ? 1 : MAX_SAMPLING_BATCH),
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
    batchSize: settings.batch * (settings.gradientAccumulation ?? 1),
    microBatchSize: microBatchOf(settings),
    checkpointInterval: settings.checkpointInterval,
    lora: loraOf(settings),
    precision: settings.precision && TRAINING_PRECISIONS[settings.precision],
    ema: settings.emaDecay === undefined ? undefined : { decay: settings.emaDecay },
    earlierShare: settings.earlierShare,
    divergenceStop: divergenceOf(settings),
  });
}

/** An alpha or targets without a rank go to the trainer all the same, which asks for one. */
function loraOf({ loraRank, loraAlpha, loraTargets }: IterationSettings) {
  if (loraRank === undefined && loraAlpha === undefined && loraTargets === undefined) return undefined;
  return { rank: loraRank ?? 0, alpha: loraAlpha, targetModules: [...(loraTargets ?? [])] };
}

/** Limits alone ask for a stop too. */
function divergenceOf(settings: IterationSettings) {
  const { divergenceStop, divergencePatience, divergenceMargin, divergenceErrorRise, divergenceRealErrorRise } =
    settings;
  const limits = [divergencePatience, divergenceMargin, divergenceErrorRise, divergenceRealErrorRise];
  if (!(divergenceStop ?? limits.some((limit) => limit !== undefined))) return undefined;
  return {
    patience: divergencePatience ?? 0,
    margin: divergenceMargin,
    errorRise: divergenceErrorRise,
    realErrorRise: divergenceRealErrorRise,
  };
}

/** Unless it is said otherwise, what is summed up in a step goes through the graph one batch after another. */
function microBatchOf(settings: IterationSettings): number {
  const { microBatch, gradientAccumulation = 1, batch, draws } = settings;
  if (microBatch !== 0 || gradientAccumulation === 1 || isExact(settings)) return microBatch;
  return batch * draws;
}

/** Larger ones take more memory and are hardly faster on a CPU. */
const MAX_SAMPLING_BATCH = 16;

const TIMESTEP_CHOICES = {
  uniform: TimestepChoice.TIMESTEP_CHOICE_UNIFORM,
  stratified: TimestepChoice.TIMESTEP_CHOICE_STRATIFIED,
  all: TimestepChoice.TIMESTEP_CHOICE_ALL,
};

const DPO_LOSS_VALUES = {
  sigmoid: DpoLoss.DPO_LOSS_SIGMOID,
  hinge: DpoLoss.DPO_LOSS_HINGE,
  ipo: DpoLoss.DPO_LOSS_IPO,
};

const TRAINING_PRECISIONS = {
  float32: Precision.PRECISION_FLOAT32,
  float16: Precision.PRECISION_FLOAT16,
  bfloat16: Precision.PRECISION_BFLOAT16,
};

const RATE_SCHEDULE_KINDS = {
  constant: RateScheduleKind.RATE_SCHEDULE_KIND_CONSTANT,
  linear: RateScheduleKind.RATE_SCHEDULE_KIND_LINEAR,
  cosine: RateScheduleKind.RATE_SCHEDULE_KIND_COSINE,
};

function objectiveOf(settings: IterationSettings): IterationSpec["objective"] {
  const { objective, beta, lambda, errorSpace, reduction, dpoLoss, ipoTau } = settings;
  const norms = {
    errorSpace: errorSpace === "mu" ? ErrorSpace.ERROR_SPACE_MU : ErrorSpace.ERROR_SPACE_EPSILON,
    reduction: reduction === "sum" ? ErrorReduction.ERROR_REDUCTION_SUM : ErrorReduction.ERROR_REDUCTION_MEAN,
  };
  switch (objective) {
    case "spin": {
      const weight =
        lambda === undefined
          ? ({ $case: "beta", value: beta } as const)
          : ({ $case: "lambda", value: lambda } as const);
      return { $case: "spin", value: { weight, ...norms } };
    }
    case "spin-exact":
      return { $case: "spinExact", value: { lambda: lambda ?? 0, ...norms } }; // The trainer asks for a λ that is missing.
    case "spin-renoised":
      return { $case: "spinRenoised", value: { beta } };
    case "sft":
      return { $case: "sft", value: {} };
    case "dpo":
      return { $case: "dpo", value: { beta, loss: DPO_LOSS_VALUES[dpoLoss ?? "sigmoid"], ipoTau } };
  }
}

/** Only self-play samples. */
function needsSampler({ objective }: IterationSettings): boolean {
  return objective !== "sft" && objective !== "dpo";
}

function isExact({ objective }: IterationSettings): boolean {
  return objective === "spin-exact";
}

function samplerOf({ sampler, samplingSteps, eta, guidance }: IterationSettings) {
  return { kind: samplerKind(sampler ?? "ddim"), numSteps: samplingSteps, eta, guidanceScale: guidance };
}
