import { createPipelineSampler, pipelineScheduler, SAMPLER_NAMES } from "./pipeline-sampler.js";
import type { Sampler } from "./sampler.js";
import { parseReplaceableScheduler, parseSchedulerConfig } from "./scheduler-config.js";

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

const levels = (sampler: Sampler): number => sampler.initNoiseSigma;

test.each(SAMPLER_NAMES)("%s can stand in for a class that is not here", (kind) => {
  const heun = parseReplaceableScheduler(
    { _class_name: "HeunDiscreteScheduler", beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012 },
    "scheduler_config.json",
  );
  expect(createPipelineSampler(heun, { kind, numSteps: 4 }).timesteps.length).toBeGreaterThanOrEqual(4);
  expect(() => createPipelineSampler(heun, { numSteps: 4 })).toThrow(/_class_name is "HeunDiscreteScheduler"/);
});

test("another class reads the file in its own way, as diffusers' from_config", () => {
  const euler = createPipelineSampler(pndm, { kind: "euler", numSteps: 4 });
  // EulerDiscreteScheduler's own spacing, since the file names none.
  expect(euler.timesteps[0]).toBe(999);
  const file = parse({
    _class_name: "PNDMScheduler",
    timestep_spacing: "leading",
    steps_offset: 1,
    skip_prk_steps: true,
  });
  expect(createPipelineSampler(file, { kind: "dpm", numSteps: 4 }).timesteps[0]).toBe(801);
});

test("spacing, Karras's levels and zero terminal SNR are taken from the choice", () => {
  const ddim = parse({ _class_name: "DDIMScheduler", steps_offset: 1, prediction_type: "v_prediction" });
  expect(createPipelineSampler(ddim, { numSteps: 4, spacing: "trailing" }).timesteps).toEqual([999, 749, 499, 249]);
  const plain = createPipelineSampler(ddim, { kind: "euler", numSteps: 4 });
  const karras = createPipelineSampler(ddim, { kind: "euler", numSteps: 4, karrasSigmas: true });
  expect(karras.timesteps).not.toEqual(plain.timesteps);
  const zero = createPipelineSampler(ddim, { kind: "euler", numSteps: 4, spacing: "trailing", zeroSnr: true });
  expect(levels(zero)).toBeGreaterThan(100 * levels(plain));
});

test.each([
  [{ kind: "ddim", karrasSigmas: true }, "karras_sigmas"],
  [{ kind: "pndm", zeroSnr: true }, "zero_snr"],
] as const)("%j is refused by its field", (choice, field) => {
  expect(() => createPipelineSampler(pndm, { ...choice, numSteps: 4 })).toThrow(
    expect.objectContaining({ kind: "invalid", details: expect.objectContaining({ field }) }),
  );
});
