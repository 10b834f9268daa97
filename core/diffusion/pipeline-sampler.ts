import { SpinError } from "../errors.js";
import { createSampler } from "./create-sampler.js";
import { createDdim } from "./ddim.js";
import { createPndm } from "./pndm.js";
import type { Sampler } from "./sampler.js";
import type { SchedulerConfig } from "./scheduler-config.js";

/** A choice of sampler over a model's own noise schedule. */
export interface SamplerChoice {
  /** The scheduler that the model names, or one of these in its place. */
  readonly kind?: "ddim" | "pndm";
  readonly numSteps: number;
  /** η of DDIM, 0 to 1. */
  readonly eta?: number;
}

/**
 * A scheduler with the settings that diffusers' StableDiffusionPipeline enforces, whatever its file says: the latents of these models
 * are never clipped, and steps stand one above a multiple of their spacing. StableDiffusionXLPipeline enforces nothing.
 */
export function pipelineScheduler<C extends SchedulerConfig>(config: C, isXl: boolean): C {
  if (isXl) return config;
  const clipping = "clipSample" in config ? { clipSample: false } : {};
  return { ...config, ...clipping, stepsOffset: 1 };
}

/**
 * A sampler for a model of latents.
 * @param scheduler the model's scheduler, as {@link pipelineScheduler} gives it
 * @throws SpinError `invalid` naming num_steps or eta where the choice does not suit the model.
 */
export function createPipelineSampler(scheduler: SchedulerConfig, { kind, numSteps, eta = 0 }: SamplerChoice): Sampler {
  // Stable Diffusion's own files all end at ᾱ_0; classes without the setting would be given diffusers' default otherwise.
  const setAlphaToOne = "setAlphaToOne" in scheduler ? scheduler.setAlphaToOne : false;
  const isDdim = kind === "ddim" || (kind === undefined && scheduler.className === "DDIMScheduler");
  if (isDdim) {
    return createDdim({ clipSample: false, clipSampleRange: 1, ...scheduler, setAlphaToOne }, numSteps, { eta });
  }
  if (eta !== 0) {
    const remedy = "ask for DDIM, or for eta 0";
    throw new SpinError("invalid", `eta is ${eta}, only DDIM has one`, { field: "eta", remedy });
  }
  if (kind === "pndm") {
    return createPndm({ ...scheduler, setAlphaToOne, skipPrkSteps: true, rescaleBetasZeroSnr: false }, numSteps);
  }
  return createSampler(scheduler, numSteps);
}
