import { requireComponent } from "../../../core/checkpoint/model-folder.js";
import { sampleLatents } from "../../../core/runtime/latent-posterior.js";
import { Pipeline } from "../../../core/runtime/pipeline.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const pipeline = await Pipeline.load(reference.model("vae"));
  const { config } = requireComponent(pipeline.model, "vae");
  const { shape } = await reference.tensor("in.image");
  const posterior = await pipeline.encodeImages({ shape, data: await reference.floats("in.image") });
  await pipeline.release();
  const noise = await reference.floats("in.noise");
  return {
    tensors: {
      "out.mean": posterior.mean,
      "out.logvar": posterior.logvar,
      "out.sample": sampleLatents(posterior, noise, { scalingFactor: 1 }),
      "out.latent": sampleLatents(posterior, noise, config),
    },
  };
}
