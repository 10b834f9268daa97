import { alphasCumprod } from "../core/diffusion/noise-schedule.js";
import { createPipelineSampler } from "../core/diffusion/pipeline-sampler.js";
import { renoisedDraw } from "../core/diffusion/trajectory.js";
import { SpinError } from "../core/errors.js";
import {
  type BatchInputs,
  type BeforeRun,
  conditionsOf,
  type DrawJob,
  type Draws,
  type FrozenModel,
  samplesPerRun,
  targetType,
} from "./draws.js";
import { batchNormals, noiseStream, PURPOSE } from "./noise-purposes.js";
import { referenceErrors } from "./reference-errors.js";
import { choosePositions } from "./timestep-choice.js";

/**
 * Draws of the forms that noise finished images again, at any training timestep: real ones alone, real ones with θ_k's samples, or pairs. Both
 * sides of a draw share timestep and noise (Diffusion-DPO, Wallace et al. 2023).
 */
export async function renoisedDraws(
  model: FrozenModel,
  job: DrawJob,
  inputs: BatchInputs,
  beforeRun: BeforeRun,
  opponent: FrozenModel,
): Promise<Draws> {
  const numSamples = inputs.real.shape[0]!;
  const clean = [inputs.real.data];
  if (job.form === "renoised") clean.push(await syntheticLatents(opponent, job, inputs, beforeRun));
  if (job.form === "pair") clean.push(inputs.other!.data);

  const timesteps = chooseTimesteps(model, job, numSamples);
  const [real, synthetic] = noiseAlike(model, job, clean, numSamples, timesteps);
  if (synthetic === undefined) return { timesteps, real: real! };
  const perRun = samplesPerRun(job, numSamples);
  const errors = await referenceErrors(model, [real!, synthetic], timesteps, inputs, perRun, beforeRun);
  return {
    timesteps,
    real: { ...real!, referenceError: errors[0]! },
    synthetic: { ...synthetic, referenceError: errors[1]! },
  };
}

/** x'_0: the opponent's own samples for the captions, [S, C, H, W]. */
async function syntheticLatents(
  model: FrozenModel,
  job: DrawJob,
  inputs: BatchInputs,
  beforeRun: BeforeRun,
): Promise<Float32Array> {
  if (job.sampler === undefined) throw new SpinError("internal", "synthetic samples need a sampler");
  const { shape } = inputs.real;
  const [numSamples, size] = [shape[0]!, inputs.real.data.length / shape[0]!];
  const normals = (purpose: number) => batchNormals(job, job.firstIndex, numSamples, size, purpose);
  const perRun = samplesPerRun(job, numSamples);
  const sampler = createPipelineSampler(model.scheduler, job.sampler);
  beforeRun(perRun);
  const { data } = await model.sample({
    ...conditionsOf(job, inputs),
    latents: { shape, data: normals(PURPOSE.syntheticStart) },
    sampler,
    noise: (step) => normals(PURPOSE.syntheticStep + step),
    onStep: ({ index }) => {
      if (index + 1 < sampler.timesteps.length) beforeRun(perRun);
    },
  });
  return data;
}

/** [N] training timesteps. */
function chooseTimesteps({ scheduler }: FrozenModel, job: DrawJob, numSamples: number): Int32Array {
  const { firstIndex, drawsPerSample, timestepRule } = job;
  const timesteps = new Int32Array(numSamples * drawsPerSample);
  for (let sample = 0; sample < numSamples; sample++) {
    const stream = noiseStream(job, firstIndex + sample, PURPOSE.timesteps);
    const chosen = choosePositions(timestepRule, drawsPerSample, scheduler.numTrainTimesteps, stream);
    timesteps.set(chosen, sample * drawsPerSample);
  }
  return timesteps;
}

/** Each side's images, noised to the draws' timesteps, with one noise per draw for all sides. */
function noiseAlike(
  { scheduler }: FrozenModel,
  job: DrawJob,
  clean: readonly Float32Array[],
  numSamples: number,
  timesteps: Int32Array,
) {
  const type = targetType(scheduler);
  const abar = alphasCumprod(scheduler);
  const size = clean[0]!.length / numSamples;
  const empty = () => new Float32Array(timesteps.length * size);
  const sides = clean.map((images) => ({ images, noisyLatents: empty(), target: empty() }));
  for (const [row, timestep] of timesteps.entries()) {
    const sample = Math.floor(row / job.drawsPerSample);
    const draw = row % job.drawsPerSample;
    const noise = noiseStream(job, job.firstIndex + sample, PURPOSE.draw + draw).normals(size);
    for (const { images, noisyLatents, target } of sides) {
      const x0 = images.subarray(sample * size, (sample + 1) * size);
      const drawn = renoisedDraw(x0, noise, abar[timestep]!, type);
      noisyLatents.set(drawn.sample, row * size);
      target.set(drawn.target, row * size);
    }
  }
  return sides.map(({ noisyLatents, target }) => ({ noisyLatents, target }));
}
