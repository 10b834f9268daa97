import { Pipeline } from "../../../core/runtime/pipeline.js";
import type { ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const pipeline = await Pipeline.load(reference.model("vae"));
  const { shape } = await reference.tensor("in.latent");
  const image = await pipeline.decode({ shape, data: await reference.floats("in.latent") });
  await pipeline.release();
  return { tensors: { "out.image": image } };
}
