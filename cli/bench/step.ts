import { referenceErrors } from "../../core/diffusion/objectives/reference-errors.js";
import { joinConditions } from "../../core/runtime/conditions.js";
import { joinRows } from "../../core/runtime/float-tensor.js";
import type { Benchmark } from "./benchmark.js";
import type { BenchSettings } from "./settings.js";
import { conditionFeeds, spinTraining, trainStep } from "./spin-training.js";
import type { Subject } from "./subject.js";

/** One SPIN optimiser step on B real and B synthetic examples. */
export async function stepBenchmark(
  subject: Subject,
  settings: BenchSettings,
  profilePrefix?: string,
): Promise<Benchmark> {
  const { batch } = settings;
  const training = await spinTraining(subject, settings, profilePrefix && `${profilePrefix}training`);
  const normals = () => subject.normals([batch, ...subject.latent]).data;
  const conditions = subject.conditions(batch);
  const timesteps = Float32Array.from({ length: batch }, (_, i) =>
    Math.floor(((i + 0.5) * subject.scheduler.numTrainTimesteps) / batch),
  );
  const draws = {
    real_xt: normals(),
    real_target: normals(),
    real_timestep: timesteps,
    synthetic_xt: normals(),
    synthetic_target: normals(),
    synthetic_timestep: timesteps,
    ...conditionFeeds(conditions),
  };
  if (settings.reference === "given") {
    const one = new Float32Array(batch).fill(1);
    return {
      run: () => trainStep(training, { ...draws, real_reference: one, synthetic_reference: one }),
      release: () => training.release(),
    };
  }

  const reference = await subject.load(profilePrefix && `${profilePrefix}reference`);
  const both = (a: Float32Array, b: Float32Array) => joinRows([a, b], subject.latent);
  const evaluated = async () => {
    const latents = both(draws.real_xt, draws.synthetic_xt);
    const targets = both(draws.real_target, draws.synthetic_target);
    const at = joinRows([timesteps, timesteps], []).data;
    const prediction = await reference.denoise(latents, at, joinConditions([conditions, conditions]));
    const errors = referenceErrors(targets.data, prediction, 2 * batch);
    return { real_reference: errors.subarray(0, batch), synthetic_reference: errors.subarray(batch) };
  };
  return {
    run: async () => trainStep(training, { ...draws, ...(await evaluated()) }),
    release: async () => {
      await reference.release();
      await training.release();
    },
  };
}
