import type { LearningRateOptions, LearningRateSchedule } from "../core/diffusion/learning-rate.js";
import type { ObjectiveSettings } from "../core/diffusion/objectives/objective.js";
import type { SpinSettings } from "../core/diffusion/objectives/spin-approximate.js";
import { DEFAULT_LORA_TARGETS, type LoraSettings } from "../core/models/lora.js";
import { ADAMW_DEFAULTS } from "../core/nn/adamw.js";
import { SampleForm, type SamplingSettings } from "../proto/gen/spin/v1/sampling.js";
import {
  ErrorReduction,
  ErrorSpace,
  type IterationSpec,
  type LoraSettings as LoraMessage,
  type OptimizerSettings,
  RateScheduleKind,
  type SpinObjective,
} from "../proto/gen/spin/v1/training.js";

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
    case "spinRenoised":
      return { kind: "spin-renoised", beta: objective.value.beta };
    case "sft":
      return { kind: "sft" };
    case "dpo":
      return { kind: "dpo", beta: objective.value.beta };
  }
}

function spinSettings({ weight, errorSpace, reduction }: SpinObjective): SpinSettings {
  return {
    beta: weight?.$case === "lambda" ? { lambda: weight.value } : weight!.value,
    errorSpace: errorSpace === ErrorSpace.ERROR_SPACE_MU ? "mu" : "epsilon",
    reduction: reduction === ErrorReduction.ERROR_REDUCTION_SUM ? "sum" : "mean",
  };
}

/** Of a spec with its defaults written out. */
export function loraSettings({ rank, alpha, targetModules }: LoraMessage): LoraSettings {
  return { rank, alpha: alpha!, targetModules };
}

/** The spec with its defaults written out, as an iteration shows it. */
export function withDefaults(spec: CheckedSpec): CheckedSpec {
  const { optimizer, lora } = spec;
  return {
    ...spec,
    microBatchSize: spec.microBatchSize || spec.batchSize * spec.sampling.drawsPerSample,
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
  };
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
