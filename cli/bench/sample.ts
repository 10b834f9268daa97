import { createPipelineSampler } from "../../core/diffusion/pipeline-sampler.js";
import type { Benchmark } from "./benchmark.js";
import type { BenchSettings } from "./settings.js";
import type { Subject } from "./subject.js";

/** From noise to B latents: DDIM with guidance. */
export async function sampleBenchmark(
  subject: Subject,
  { batch, steps, guidance }: BenchSettings,
  profilePrefix?: string,
): Promise<Benchmark> {
  const pipeline = await subject.load(profilePrefix);
  const latents = subject.normals([batch, ...subject.latent]);
  const conditions = { ...subject.conditions(batch), guidance: { scale: guidance, ...subject.conditions(batch) } };
  const sample = async (numSteps: number) => {
    const sampler = createPipelineSampler(subject.scheduler, { kind: "ddim", numSteps });
    await pipeline.sample({ latents, ...conditions, sampler });
  };
  return {
    warmUp: () => sample(Math.min(2, steps)),
    run: () => sample(steps),
    release: () => pipeline.release(),
  };
}
