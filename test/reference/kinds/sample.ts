import { openModelFolder, requireComponent } from "../../../core/checkpoint/model-folder.js";
import { createSampler } from "../../../core/diffusion/create-sampler.js";
import { vaeFactor } from "../../../core/models/vae/config.js";
import { wholePicture } from "../../../core/runtime/conditions.js";
import { Pipeline } from "../../../core/runtime/pipeline.js";
import type { CaseTensor, ReferenceCase } from "../cases.js";
import type { CaseResult } from "../judge.js";

interface SampleParameters {
  readonly prompts: readonly string[];
  readonly negative_prompts: readonly string[];
  readonly steps: number;
  readonly guidance: number;
}

export async function run(reference: ReferenceCase): Promise<CaseResult> {
  const { prompts, negative_prompts, steps, guidance } = reference.parameters as unknown as SampleParameters;
  const pipeline = await Pipeline.load(reference.model("pipeline"));
  const scheduler = requireComponent(await openModelFolder(reference.model("scheduler")), "scheduler");
  const conditional = await pipeline.encodePrompts(prompts);
  const negative = await pipeline.encodePrompts(negative_prompts);
  const { shape } = await reference.tensor("in.latents");
  const factor = vaeFactor(requireComponent(pipeline.model, "vae").config);
  const [batch, , height, width] = shape as [number, number, number, number];
  const whole = wholePicture(height * factor, width * factor);
  const sizes = pipeline.timeIds(Array.from({ length: batch }, () => whole));
  const walk = { latents: [], cond: [], uncond: [] } as Record<"latents" | "cond" | "uncond", Float32Array[]>;
  const latents = await pipeline.sample({
    latents: { shape, data: await reference.floats("in.latents") },
    ...conditional,
    ...sizes,
    guidance: { scale: guidance, ...negative, ...sizes },
    sampler: createSampler(scheduler, steps),
    onStep: ({ prediction, latents: x }) => {
      walk.latents.push(x);
      walk.cond.push(prediction.conditional.slice());
      walk.uncond.push(prediction.unconditional!.slice());
    },
  });
  const image = await pipeline.decode(latents);
  const ids = (texts: readonly string[]): CaseTensor => {
    const rows = pipeline.tokenize(texts);
    return { shape: [rows.length, rows[0]!.length], data: Int32Array.from(rows.flatMap((row) => [...row])) };
  };
  const joined = (rows: readonly Float32Array[]): CaseTensor => ({
    shape: [rows.length, ...shape],
    data: Float32Array.from(rows.flatMap((row) => [...row])),
  });
  await pipeline.release();
  return {
    tensors: {
      "out.ids_cond": ids(prompts),
      "out.ids_uncond": ids(negative_prompts),
      "out.text_cond": conditional.states,
      "out.text_uncond": negative.states,
      "out.noise_cond": joined(walk.cond),
      "out.noise_uncond": joined(walk.uncond),
      "out.latents": joined(walk.latents),
      "out.image": { ...image, data: image.data.map((x) => Math.min(1, Math.max(0, x / 2 + 0.5))) },
    },
  };
}
