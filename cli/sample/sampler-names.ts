/** Schedulers that can stand in for the model's own, with diffusers' classes. */
export const SCHEDULER_CLASSES = {
  ddim: "DDIMScheduler",
  pndm: "PNDMScheduler",
  ddpm: "DDPMScheduler",
  euler: "EulerDiscreteScheduler",
  dpm: "DPMSolverMultistepScheduler",
} as const;

export type SamplerName = keyof typeof SCHEDULER_CLASSES;
export const SAMPLER_NAMES = Object.keys(SCHEDULER_CLASSES) as SamplerName[];
