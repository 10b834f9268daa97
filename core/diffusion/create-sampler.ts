import { createDdim } from "./ddim.js";
import { createDdpm } from "./ddpm.js";
import { createDpmSolver } from "./dpm-solver.js";
import { createEuler } from "./euler.js";
import { createPndm } from "./pndm.js";
import type { Sampler } from "./sampler.js";
import type { SchedulerConfig } from "./scheduler-config.js";

/** The sampler that a diffusers scheduler names, set to `numSteps` steps. `eta` bears on DDIM alone. */
export function createSampler(config: SchedulerConfig, numSteps: number, { eta = 0 }: { eta?: number } = {}): Sampler {
  switch (config.className) {
    case "DDIMScheduler":
      return createDdim(config, numSteps, { eta });
    case "PNDMScheduler":
      return createPndm(config, numSteps);
    case "DDPMScheduler":
      return createDdpm(config, numSteps);
    case "EulerDiscreteScheduler":
      return createEuler(config, numSteps);
    case "DPMSolverMultistepScheduler":
      return createDpmSolver(config, numSteps);
  }
}
