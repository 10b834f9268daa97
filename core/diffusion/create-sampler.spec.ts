import { createSampler } from "./create-sampler.js";
import { alphasCumprod } from "./noise-schedule.js";
import { createPhiloxStream } from "./philox.js";
import { parseSchedulerConfig } from "./scheduler-config.js";

const stream = createPhiloxStream(2n, { iteration: 0, index: 0, purpose: 0 });
const IMAGE = stream.normals(24);
const NOISE = stream.normals(24);

/** What a model that knows the image says of a sample √ᾱ x_0 + √(1−ᾱ) ε. */
function oracle(sample: Float32Array, abar: number, predictionType: string): Float32Array {
  return sample.map((x, i) => {
    const epsilon = (x - Math.sqrt(abar) * IMAGE[i]!) / Math.sqrt(1 - abar);
    if (predictionType === "sample") return IMAGE[i]!;
    return predictionType === "epsilon" ? epsilon : Math.sqrt(abar) * epsilon - Math.sqrt(1 - abar) * IMAGE[i]!;
  });
}

/** Walks from pure noise with the oracle as model; returns the largest distance from the image. */
function missOf(className: string, predictionType: string, settings: Record<string, unknown>, eta: number): number {
  const json = {
    _class_name: className,
    beta_start: 0.00085,
    beta_end: 0.012,
    beta_schedule: "scaled_linear",
    steps_offset: 1,
    clip_sample: false,
    set_alpha_to_one: true,
    skip_prk_steps: true,
    prediction_type: predictionType,
    ...settings,
  };
  const config = parseSchedulerConfig(json, "scheduler_config.json");
  const sampler = createSampler(config, 12, { eta });
  const alphaBars = alphasCumprod(config);
  let sample: Float32Array = NOISE.map((z) => z * sampler.initNoiseSigma);
  for (const [i, timestep] of sampler.timesteps.entries()) {
    const abar = sampler.sigmas ? 1 / (sampler.sigmas[i]! ** 2 + 1) : alphaBars[timestep]!;
    const output = oracle(sampler.scaleModelInput(sample, i), abar, predictionType);
    sample = sampler.step(output, i, sample, sampler.needsNoise(i) ? stream.normals(sample.length) : undefined);
  }
  return Math.max(...sample.map((x, i) => Math.abs(x - IMAGE[i]!)));
}

describe("a model that knows the image is led to it", () => {
  test.each([
    ["DDIMScheduler", "epsilon", {}, 0],
    ["DDIMScheduler", "sample", {}, 0.5],
    ["DDIMScheduler", "v_prediction", { timestep_spacing: "trailing", rescale_betas_zero_snr: true }, 1],
    ["PNDMScheduler", "epsilon", {}, 0],
    ["DDPMScheduler", "epsilon", {}, 0],
    ["DDPMScheduler", "sample", { timestep_spacing: "trailing" }, 0],
    ["DDPMScheduler", "v_prediction", { timestep_spacing: "linspace" }, 0],
    ["EulerDiscreteScheduler", "epsilon", {}, 0],
    ["EulerDiscreteScheduler", "sample", { timestep_spacing: "leading" }, 0],
    ["EulerDiscreteScheduler", "v_prediction", { use_karras_sigmas: true }, 0],
    ["EulerDiscreteScheduler", "v_prediction", { timestep_spacing: "trailing", rescale_betas_zero_snr: true }, 0],
    ["DPMSolverMultistepScheduler", "epsilon", {}, 0],
    ["DPMSolverMultistepScheduler", "sample", { solver_order: 1, timestep_spacing: "leading" }, 0],
    ["DPMSolverMultistepScheduler", "v_prediction", { solver_type: "heun", use_karras_sigmas: true }, 0],
  ])("by %s, predicting %s, with %j at eta %d", (className, predictionType, settings, eta) => {
    expect(missOf(className, predictionType, settings, eta)).toBeLessThan(2e-5);
  });
});

test("short of alpha one, the walk ends at the noise level of timestep 0", () => {
  expect(missOf("DDIMScheduler", "epsilon", { set_alpha_to_one: false }, 0)).toBeGreaterThan(1e-3);
  expect(missOf("DDIMScheduler", "epsilon", { set_alpha_to_one: false }, 0)).toBeLessThan(0.2);
});
