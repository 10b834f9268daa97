import type { Feeds } from "../../core/nn/training.js";
import type { UnetConditions } from "../../core/runtime/conditions.js";
import type { Pipeline } from "../../core/runtime/pipeline.js";
import type { DrawJob, Draws, FrozenModel } from "../../generator/draws.js";
import { sampleDraws } from "../../generator/sample-draws.js";
import type { Benchmark } from "./benchmark.js";
import { latentInputs, pictureInputs } from "./iteration-inputs.js";
import type { BenchSettings } from "./settings.js";
import { conditionFeeds, spinTraining, trainStep } from "./spin-training.js";
import type { Subject } from "./subject.js";

/**
 * A whole SPIN iteration as generator and trainer run it, one after the other: compile θ_k, encode pictures and captions where they are
 * asked for, sample B·S trajectories with it, take a draw with its e_k from each, then S optimiser steps.
 */
export async function iterationBenchmark(
  subject: Subject,
  settings: BenchSettings,
  profilePrefix?: string,
): Promise<Benchmark> {
  const { batch, steps } = settings;
  const training = await spinTraining(subject, settings, profilePrefix && `${profilePrefix}training`);
  const inputs = settings.inputs === "pictures" ? await pictureInputs(subject, settings) : latentInputs(subject, batch);
  const iteration = async (numSteps: number, samplingSteps: number) => {
    const pipeline = await subject.load(profilePrefix && `${profilePrefix}sampling`);
    const model = frozen(pipeline, subject);
    const batches: Feeds[] = [];
    for (let step = 0; step < numSteps; step++) {
      const job = drawJob(settings, samplingSteps, step * batch);
      const real = await inputs.of(pipeline, job);
      batches.push(toFeeds(await sampleDraws(model, job, real), real));
    }
    await pipeline.release();
    for (const feeds of batches) await trainStep(training, feeds);
  };
  return {
    warmUp: () => iteration(1, 2),
    run: () => iteration(steps, settings.samplingSteps),
    release: async () => {
      await inputs.release();
      await training.release();
    },
  };
}

function frozen(pipeline: Pipeline, { scheduler }: Subject): FrozenModel {
  return {
    scheduler,
    denoise: (...input) => pipeline.denoise(...input),
    denoiser: (...input) => pipeline.denoiser(...input),
    sample: (options) => pipeline.sample(options),
  };
}

/** B samples, one draw from each. Trajectories are as noisy as DDPM's; samples that are noised again are DDIM's. */
function drawJob({ guidance, form }: BenchSettings, samplingSteps: number, firstIndex: number): DrawJob {
  return {
    form,
    seed: 1n,
    iteration: 1,
    firstIndex,
    drawsPerSample: 1,
    timestepRule: "uniform",
    sampler: { kind: "ddim", numSteps: samplingSteps, eta: form === "trajectory" ? 1 : 0, guidanceScale: guidance },
  };
}

function toFeeds({ timesteps, real, synthetic }: Draws, conditions: UnetConditions): Feeds {
  const at = Float32Array.from(timesteps);
  return {
    real_xt: real.noisyLatents,
    real_target: real.target,
    real_timestep: at,
    real_reference: real.referenceError!,
    synthetic_xt: synthetic!.noisyLatents,
    synthetic_target: synthetic!.target,
    synthetic_timestep: at,
    synthetic_reference: synthetic!.referenceError!,
    ...conditionFeeds(conditions),
  };
}
