import type { SamplerChoice } from "../core/diffusion/pipeline-sampler.js";
import type { SchedulerConfig } from "../core/diffusion/scheduler-config.js";
import type { TargetType } from "../core/diffusion/trajectory.js";
import { SpinError } from "../core/errors.js";
import {
  type Conditions,
  repeatConditions,
  type TextConditions,
  type UnetConditions,
} from "../core/runtime/conditions.js";
import type { FloatTensor } from "../core/runtime/float-tensor.js";
import type { Pipeline } from "../core/runtime/pipeline.js";
import type { NoiseKey } from "./noise-purposes.js";
import type { TimestepRule } from "./timestep-choice.js";

/** θ_k: what sampling needs of a model. */
export interface FrozenModel extends Pick<Pipeline, "denoise" | "denoiser" | "sample"> {
  readonly scheduler: SchedulerConfig;
}

/** What a draw consists of (see SampleForm in the contracts). */
export type DrawForm = "trajectory" | "renoised" | "realOnly" | "pair";

/** A batch of samples to draw from. */
export interface DrawJob extends NoiseKey {
  readonly form: DrawForm;
  /** Index of the batch's first sample. */
  readonly firstIndex: number;
  /** D, draws per sample. */
  readonly drawsPerSample: number;
  readonly timestepRule: TimestepRule;
  /** How the synthetic side is sampled, for the forms that have one. */
  readonly sampler?: SamplerChoice & GuidanceChoice;
}

/** How the sampler is guided; what it is led away from is part of the inputs. */
export interface GuidanceChoice {
  /** w; 1: none. */
  readonly guidanceScale: number;
  /** φ of guidance rescale, 0 to 1; 0 where not said. */
  readonly guidanceRescale?: number;
}

/** What the samples of a batch are about; S samples, whose conditions have a row each. */
export interface BatchInputs extends UnetConditions {
  /** Latents of the real images (of the winners), scaled, [S, C, H, W]. */
  readonly real: FloatTensor;
  /** Latents of the losers, for pairs. */
  readonly other?: FloatTensor;
  /** What guidance leads away from, one row. */
  readonly unconditional: TextConditions;
}

/** One side of a batch of draws; N = S · D rows, sample-major. */
export interface DrawSide {
  /** x_t, [N, C, H, W]. */
  readonly noisyLatents: Float32Array;
  /** What a model should say at x_t, [N, C, H, W]. */
  readonly target: Float32Array;
  /** e_k, [N]: mean over C, H, W of (target − prediction of θ_k without guidance)². */
  readonly referenceError?: Float32Array;
}

/** The draws of a batch. */
export interface Draws {
  /** t, [N], in training timesteps. */
  readonly timesteps: Int32Array;
  /** The trajectory's next less noisy timestep, [N]; −1 below the last step. */
  readonly previousTimesteps?: Int32Array;
  readonly real: DrawSide;
  readonly synthetic?: DrawSide;
}

/**
 * Called before each run of the UNet with the number of samples in it. What it throws ends the sampling.
 */
export type BeforeRun = (samples: number) => void;

/** @throws SpinError `precondition` for a model that predicts x_0, for which the objectives have no errors. */
export function targetType({ predictionType }: SchedulerConfig): TargetType {
  if (predictionType !== "sample") return predictionType;
  throw new SpinError("precondition", "the model predicts the clean sample, the objectives need noise or velocity", {
    field: "spec.checkpoint",
    remedy: "use a model with prediction_type epsilon or v_prediction",
  });
}

/** Samples that one run of the UNet takes at a time in this job: guidance evaluates each twice. */
export function samplesPerRun({ sampler }: DrawJob, samples: number): number {
  return isGuided(sampler) ? 2 * samples : samples;
}

/** Whether the sampler evaluates the model with and without the caption. */
export function isGuided(sampler: DrawJob["sampler"]): boolean {
  return sampler !== undefined && sampler.guidanceScale !== 1;
}

/** The samples' conditions, without their latents. */
export function unetConditions({ states, textEmbeds, timeIds }: BatchInputs): UnetConditions {
  return { states, textEmbeds, timeIds };
}

/** The samples' conditions, and what guidance leads away from for each of them where the sampler is guided. */
export function conditionsOf({ sampler }: DrawJob, inputs: BatchInputs): Conditions {
  const conditions = unetConditions(inputs);
  if (sampler === undefined || !isGuided(sampler)) return conditions;
  const unconditional = repeatConditions(inputs.unconditional, inputs.real.shape[0]!);
  const { guidanceScale: scale, guidanceRescale: rescale } = sampler;
  return { ...conditions, guidance: { ...unconditional, timeIds: inputs.timeIds, scale, rescale } };
}
