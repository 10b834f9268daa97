import type { LearningRateOptions, LearningRateSchedule } from "../core/diffusion/learning-rate.js";
import { LOGISTIC, type MarginLoss } from "../core/diffusion/objectives/margin-loss.js";
import type { ObjectiveSettings } from "../core/diffusion/objectives/objective.js";
import type { SpinSettings } from "../core/diffusion/objectives/spin-approximate.js";
import { largestDivisor } from "../core/largest-divisor.js";
import { DEFAULT_LORA_TARGETS, type LoraSettings } from "../core/models/lora.js";
import { ADAMW_DEFAULTS } from "../core/nn/adamw.js";
import type { TrainingPrecision } from "../core/nn/training.js";
import { SampleForm, type SamplingSettings } from "../proto/gen/spin/v1/sampling.js";
import {
  DpoLoss,
  type DpoObjective,
  ErrorReduction,
  ErrorSpace,
  type IterationSpec,
  type LoraSettings as LoraMessage,
  type OptimizerSettings,
  Precision,
  RateScheduleKind,
  type SpinObjective,
} from "../proto/gen/spin/v1/training.js";
import { divergenceLimits } from "./divergence.js";

/** What a request says of the mathematics, in the terms of core/diffusion and core/nn. */

/** The chosen field of the message's oneof. */
export type Objective = NonNullable<IterationSpec["objective"]>;

/** An IterationSpec with everything that is required. */
export type CheckedSpec = IterationSpec & {
  readonly objective: Objective;
  readonly sampling: SamplingSettings;
  readonly optimizer: OptimizerSettings;
};

/** What the draws of an objective consist of. */
export function formOf(objective: Objective): SampleForm {
  switch (objective.$case) {
    case "spin":
    case "spinExact":
      return SampleForm.SAMPLE_FORM_TRAJECTORY;
    case "spinRenoised":
      return SampleForm.SAMPLE_FORM_RENOISED;
    case "sft":
      return SampleForm.SAMPLE_FORM_REAL_ONLY;
    case "dpo":
      return SampleForm.SAMPLE_FORM_PAIR;
  }
}

export function objectiveSettings(objective: Objective): ObjectiveSettings {
  switch (objective.$case) {
    case "spin":
      return { kind: "spin", ...spinSettings(objective.value) };
    case "spinExact": {
      const { lambda, ...norms } = objective.value;
      return { kind: "spin-exact", beta: { lambda }, ...normSettings(norms) };
    }
    case "spinRenoised":
      return { kind: "spin-renoised", beta: objective.value.beta };
    case "sft":
      return { kind: "sft" };
    case "dpo":
      return { kind: "dpo", beta: objective.value.beta, loss: dpoLoss(objective.value) };
  }
}

function spinSettings({ weight, ...norms }: SpinObjective): SpinSettings {
  return { beta: weight?.$case === "lambda" ? { lambda: weight.value } : weight!.value, ...normSettings(norms) };
}

function normSettings({ errorSpace, reduction }: Pick<SpinObjective, "errorSpace" | "reduction">) {
  return {
    errorSpace: errorSpace === ErrorSpace.ERROR_SPACE_MU ? "mu" : "epsilon",
    reduction: reduction === ErrorReduction.ERROR_REDUCTION_SUM ? "sum" : "mean",
  } as const;
}

/** τ where IPO is asked for without one. */
const DEFAULT_IPO_TAU = 0.1;

function dpoLoss({ loss, ipoTau }: DpoObjective): MarginLoss {
  switch (loss) {
    case DpoLoss.DPO_LOSS_HINGE:
      return { kind: "hinge" };
    case DpoLoss.DPO_LOSS_IPO:
      return { kind: "ipo", tau: ipoTau ?? DEFAULT_IPO_TAU };
    default:
      return LOGISTIC;
  }
}

/** Of a spec with its defaults written out. */
export function loraSettings({ rank, alpha, targetModules }: LoraMessage): LoraSettings {
  return { rank, alpha: alpha!, targetModules };
}

/** The spec with its defaults written out, as an iteration shows it. */
export function withDefaults(spec: CheckedSpec): CheckedSpec {
  const { optimizer, lora, divergenceStop } = spec;
  return {
    ...spec,
    microBatchSize: spec.microBatchSize || defaultMicroBatch(spec),
    optimizer: {
      ...optimizer,
      beta1: optimizer.beta1 ?? ADAMW_DEFAULTS.betas[0],
      beta2: optimizer.beta2 ?? ADAMW_DEFAULTS.betas[1],
      epsilon: optimizer.epsilon ?? ADAMW_DEFAULTS.eps,
      weightDecay: optimizer.weightDecay ?? ADAMW_DEFAULTS.weightDecay,
      maxGradNorm: optimizer.maxGradNorm ?? 1,
      schedule: optimizer.schedule || RateScheduleKind.RATE_SCHEDULE_KIND_CONSTANT,
      scheduleSteps: optimizer.scheduleSteps || spec.numSteps,
    },
    lora: lora && {
      rank: lora.rank,
      alpha: lora.alpha ?? lora.rank,
      targetModules: lora.targetModules.length > 0 ? lora.targetModules : [...DEFAULT_LORA_TARGETS],
    },
    divergenceStop: divergenceStop && divergenceLimits(divergenceStop),
  };
}

/** Most draws of a whole trajectory that go through the graph together, where nothing else is asked for. */
const MAX_TRAJECTORY_MICRO_BATCH = 8;

function defaultMicroBatch({ objective, batchSize, sampling: { drawsPerSample } }: CheckedSpec): number {
  if (objective.$case === "spinExact") return largestDivisor(drawsPerSample, MAX_TRAJECTORY_MICRO_BATCH);
  return batchSize * drawsPerSample;
}

/** What the graph's products are computed in. */
export function trainingPrecision({ precision }: CheckedSpec): TrainingPrecision {
  switch (precision) {
    case Precision.PRECISION_FLOAT16:
      return "float16";
    case Precision.PRECISION_BFLOAT16:
      return "bfloat16";
    default:
      return "float32";
  }
}

/** How the learning rate goes; a constant rate may have a warm-up too. */
export function rateSchedule(optimizer: OptimizerSettings): [LearningRateSchedule, LearningRateOptions] {
  const { learningRate: base, warmupSteps, scheduleSteps } = optimizer;
  return [RATE_SCHEDULES[optimizer.schedule], { base, warmupSteps, scheduleSteps }];
}

const RATE_SCHEDULES: Readonly<Record<RateScheduleKind, LearningRateSchedule>> = {
  [RateScheduleKind.RATE_SCHEDULE_KIND_UNSPECIFIED]: "constant_with_warmup",
  [RateScheduleKind.RATE_SCHEDULE_KIND_CONSTANT]: "constant_with_warmup",
  [RateScheduleKind.RATE_SCHEDULE_KIND_LINEAR]: "linear",
  [RateScheduleKind.RATE_SCHEDULE_KIND_COSINE]: "cosine",
};
