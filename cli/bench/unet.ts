import type { Benchmark } from "./benchmark.js";
import type { BenchSettings } from "./settings.js";
import type { Subject } from "./subject.js";

/** One forward pass of the UNet over B latents. */
export async function unetBenchmark(
  subject: Subject,
  { batch }: BenchSettings,
  profilePrefix?: string,
): Promise<Benchmark> {
  const pipeline = await subject.load(profilePrefix);
  const latents = subject.normals([batch, ...subject.latent]);
  const timesteps = new Float32Array(batch).fill(subject.scheduler.numTrainTimesteps / 2);
  const conditions = subject.conditions(batch);
  const output = new Float32Array(latents.data.length);
  return {
    run: async () => void (await pipeline.denoise(latents, timesteps, conditions, output)),
    release: () => pipeline.release(),
  };
}
