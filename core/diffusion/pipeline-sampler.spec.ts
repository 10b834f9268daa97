import { createPipelineSampler, pipelineScheduler } from "./pipeline-sampler.js";
import { parseSchedulerConfig } from "./scheduler-config.js";

const parse = (settings: object) =>
  parseSchedulerConfig({ beta_schedule: "scaled_linear", ...settings }, "scheduler_config.json");
const pndm = parse({ _class_name: "PNDMScheduler", skip_prk_steps: true, steps_offset: 1 });

test("the model's own scheduler is used where no other is named", () => {
  expect(createPipelineSampler(pndm, { numSteps: 4 }).timesteps).toEqual([751, 501, 501, 251, 1]);
  expect(createPipelineSampler(pndm, { kind: "ddim", numSteps: 4 }).timesteps).toEqual([751, 501, 251, 1]);
  const ddim = parse({ _class_name: "DDIMScheduler", steps_offset: 1 });
  expect(createPipelineSampler(ddim, { kind: "pndm", numSteps: 4 }).timesteps).toEqual([751, 501, 501, 251, 1]);
});

test("steps are offset by one and nothing is clipped, as StableDiffusionPipeline enforces and its XL does not", () => {
  const outdated = parse({ _class_name: "DDIMScheduler", steps_offset: 0, clip_sample: true });
  const end = (isXl: boolean) => {
    const sampler = createPipelineSampler(pipelineScheduler(outdated, isXl), { numSteps: 4 });
    const [far] = sampler.step(Float32Array.of(0), 3, Float32Array.of(100));
    return { timesteps: sampler.timesteps, isClipped: far! < 90 };
  };
  expect(end(false)).toEqual({ timesteps: [751, 501, 251, 1], isClipped: false });
  expect(end(true)).toEqual({ timesteps: [750, 500, 250, 0], isClipped: true });
});

test("eta makes DDIM noisy, and is refused elsewhere", () => {
  expect(createPipelineSampler(pndm, { kind: "ddim", numSteps: 4, eta: 1 }).needsNoise(0)).toBe(true);
  expect(() => createPipelineSampler(pndm, { numSteps: 4, eta: 0.5 })).toThrow("only DDIM has one");
});
