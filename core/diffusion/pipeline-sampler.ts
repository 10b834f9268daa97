import { SpinError } from "../errors.js";
import { createSampler } from "./create-sampler.js";
import { createDdim } from "./ddim.js";
import type { Sampler } from "./sampler.js";
import { parseSchedulerConfig, type SchedulerClass, type SchedulerConfig } from "./scheduler-config.js";
import type { TimestepSpacing } from "./timestep-spacing.js";

/** Schedulers that can stand in for a model's own, with diffusers' classes. */
export const SCHEDULER_CLASSES = {
  ddim: "DDIMScheduler",
  pndm: "PNDMScheduler",
  ddpm: "DDPMScheduler",
  euler: "EulerDiscreteScheduler",
  dpm: "DPMSolverMultistepScheduler",
} as const satisfies Record<string, SchedulerClass>;

export type SamplerName = keyof typeof SCHEDULER_CLASSES;
export const SAMPLER_NAMES = Object.keys(SCHEDULER_CLASSES) as SamplerName[];

/** A choice of sampler over a model's own noise schedule. */
export interface SamplerChoice {
  /** The scheduler that the model names, or one of these in its place. */
  readonly kind?: SamplerName;
  readonly numSteps: number;
  /** η of DDIM, 0 to 1. */
  readonly eta?: number;
  /** Where the steps lie (`timestep_spacing`); absent: as the model's file says, else as the class does by default. */
  readonly spacing?: TimestepSpacing;
  /** σ of the steps after Karras et al. 2022 (`use_karras_sigmas`), of Euler and DPM-Solver++; absent: as the model's file says. */
  readonly karrasSigmas?: boolean;
  /** Rescales the noise schedule to pure noise at its end (`rescale_betas_zero_snr`); absent: as the model's file says. */
  readonly zeroSnr?: boolean;
}

/**
 * A scheduler with the settings that diffusers' StableDiffusionPipeline enforces, whatever its file says: the latents of these models
 * are never clipped, and steps stand one above a multiple of their spacing. StableDiffusionXLPipeline enforces nothing.
 */
export function pipelineScheduler<C extends SchedulerConfig>(config: C, isXl: boolean): C {
  if (isXl) return { ...config, isXl };
  const clipping = "clipSample" in config ? { clipSample: false } : {};
  return { ...config, ...clipping, stepsOffset: 1, isXl };
}

/**
 * A sampler for a model of latents: its own scheduler, or another class or other settings over the same file, as diffusers'
 * `OtherScheduler.from_config(pipeline.scheduler.config, …)`.
 *
 * @param scheduler the model's scheduler, as {@link pipelineScheduler} gives it
 * @throws SpinError `invalid` naming num_steps, eta or a setting where the choice does not suit model or class, the scheduler's refusal where its
 *   own class is asked for and not here.
 */
export function createPipelineSampler(scheduler: SchedulerConfig, choice: SamplerChoice): Sampler {
  const { kind, numSteps, eta = 0 } = choice;
  if (kind === undefined && scheduler.refusal !== undefined) throw scheduler.refusal;
  const config = withChoice(scheduler, choice);
  if (config.className === "DDIMScheduler") return createDdim(config, numSteps, { eta });
  if (eta !== 0) {
    const remedy = "ask for DDIM, or for eta 0";
    throw new SpinError("invalid", `eta is ${eta}, only DDIM has one`, { field: "eta", remedy });
  }
  // Stable Diffusion never had Runge–Kutta steps: a file of another class does not say so.
  const isForeign = config.className === "PNDMScheduler" && scheduler.className !== config.className;
  return createSampler(isForeign ? { ...config, skipPrkSteps: true } : config, numSteps);
}

/** The scheduler's file read by the class that is asked for, with what is asked for in it. */
function withChoice(scheduler: SchedulerConfig, choice: SamplerChoice): SchedulerConfig {
  const { kind, spacing, karrasSigmas, zeroSnr } = choice;
  const className = kind === undefined ? scheduler.className : SCHEDULER_CLASSES[kind];
  const wanted = {
    ...(spacing !== undefined && { timestep_spacing: spacing }),
    ...(karrasSigmas !== undefined && { use_karras_sigmas: karrasSigmas }),
    ...(zeroSnr !== undefined && { rescale_betas_zero_snr: zeroSnr }),
  };
  if (karrasSigmas && className !== "EulerDiscreteScheduler" && className !== "DPMSolverMultistepScheduler") {
    throw notOf(className, "karras_sigmas", "ask for Euler or DPM-Solver++");
  }
  if (zeroSnr && className === "PNDMScheduler") throw notOf(className, "zero_snr", "ask for another sampler");
  if (className === scheduler.className && Object.keys(wanted).length === 0) return scheduler;
  const { file, settings } = scheduler.source;
  const config = parseSchedulerConfig({ ...settings, ...wanted, _class_name: className }, file);
  return scheduler.isXl === undefined ? config : pipelineScheduler(config, scheduler.isXl);
}

function notOf(className: string, field: string, remedy: string): SpinError {
  return new SpinError("invalid", `${field}: ${className} has no such setting`, { field, remedy });
}
