import { join } from "node:path";
import { createSampler } from "../../../core/diffusion/create-sampler.js";
import { addNoise, addNoiseAtSigma, velocity } from "../../../core/diffusion/forward-process.js";
import { alphasCumprod } from "../../../core/diffusion/noise-schedule.js";
import type { Sampler } from "../../../core/diffusion/sampler.js";
import { parseSchedulerConfig, type SchedulerConfig } from "../../../core/diffusion/scheduler-config.js";
import { readJsonFile } from "../../../core/json-config.js";
import type { CaseTensor, ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";

interface SchedulerParameters {
  readonly steps: number;
  readonly eta: number;
}

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const { steps, eta } = reference.parameters as unknown as SchedulerParameters;
  const file = join(reference.model("scheduler"), "scheduler_config.json");
  const config = parseSchedulerConfig(await readJsonFile(file), file);
  const sampler = createSampler(config, steps, { eta });
  const abar = alphasCumprod(config);
  const values: Record<string, unknown> = {
    timesteps: sampler.timesteps,
    init_noise_sigma: sampler.initNoiseSigma,
    ...(sampler.sigmas ? { sigmas: Array.from(sampler.sigmas) } : {}),
  };
  return {
    tensors: {
      "out.alphas_cumprod": { shape: [abar.length], data: abar },
      ...(await walk(reference, sampler)),
      ...(await forward(reference, config, sampler)),
    },
    values,
  };
}

/** Takes every step with the case's model outputs. */
async function walk(reference: ReferenceCase, sampler: Sampler): Promise<Record<string, CaseTensor>> {
  const outputs = await reference.tensor("in.model_outputs");
  const noises = reference.inputs.includes("in.variance_noise")
    ? await reference.floats("in.variance_noise")
    : undefined;
  let sample = await reference.floats("in.sample");
  const size = sample.length;
  const row = (values: Float32Array, i: number) => values.slice(i * size, (i + 1) * size);
  const inputs = new Float32Array(outputs.data.length);
  const samples = new Float32Array(outputs.data.length);
  for (let i = 0; i < sampler.timesteps.length; i++) {
    inputs.set(sampler.scaleModelInput(sample, i), i * size);
    const noise = sampler.needsNoise(i) && noises ? row(noises, i) : undefined;
    sample = sampler.step(row(outputs.data as Float32Array, i), i, sample, noise);
    samples.set(sample, i * size);
  }
  return {
    "out.model_inputs": { shape: outputs.shape, data: inputs },
    "out.prev_samples": { shape: outputs.shape, data: samples },
  };
}

/** diffusers' add_noise and get_velocity at the case's timesteps. */
async function forward(
  reference: ReferenceCase,
  config: SchedulerConfig,
  sampler: Sampler,
): Promise<Record<string, CaseTensor>> {
  const { shape, data: clean } = await reference.tensor("in.clean");
  const noise = await reference.floats("in.noise");
  const timesteps = await reference.floats("in.noise_timesteps");
  const abar = alphasCumprod(config);
  const at = (indices: ArrayLike<number>) => Array.from(indices, (i) => abar[i]!);
  const result = (noisy: Float32Array, velocities: Float32Array): Record<string, CaseTensor> => ({
    "out.noisy": { shape, data: noisy },
    "out.velocity": { shape, data: velocities },
  });
  if (!(clean instanceof Float32Array)) throw new Error("in.clean does not hold float32");
  if (!sampler.sigmas) return result(addNoise(clean, noise, at(timesteps)), velocity(clean, noise, at(timesteps)));

  // The samplers over σ add noise at the levels of their own steps.
  const steps = Array.from(timesteps, (t) => stepAt(sampler.timesteps, t));
  const sigmas = steps.map((i) => sampler.sigmas![i]!);
  const levels = sigmas.map((sigma) => 1 / (sigma ** 2 + 1));
  const scaled = config.className === "EulerDiscreteScheduler";
  const noisy = scaled ? addNoiseAtSigma(clean, noise, sigmas) : addNoise(clean, noise, levels);
  // diffusers' get_velocity looks ᾱ up at the index of the step, not at its timestep.
  return result(noisy, velocity(clean, noise, at(steps)));
}

/** The step nearest to a timestep, as roundings may differ; of repeated steps the second, as diffusers takes it. */
function stepAt(timesteps: readonly number[], timestep: number): number {
  const distances = timesteps.map((t) => Math.abs(t - timestep));
  const first = distances.indexOf(Math.min(...distances));
  return timesteps[first + 1] === timesteps[first] ? first + 1 : first;
}
