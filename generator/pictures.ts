import { encodeImage, fromTensor } from "../core/data/image.js";
import { createPipelineSampler, type SamplerChoice } from "../core/diffusion/pipeline-sampler.js";
import { createTorchGenerator } from "../core/diffusion/torch-generator.js";
import type { ConditionEncoder } from "./condition-encoder.js";
import type { BeforeRun } from "./draws.js";
import { type LoadedModel, pictureSide } from "./loaded-models.js";

/** A batch of pictures to render. */
export interface PictureJob {
  /** 1 to `batchSize`. */
  readonly items: readonly { readonly prompt: string; readonly seed: bigint }[];
  /** Pictures computed together: fewer are filled up, so that rounding depends on this number alone. */
  readonly batchSize: number;
  readonly sampler: SamplerChoice & { readonly guidanceScale: number };
  /** In pixels; 0: what the model was made for. */
  readonly height: number;
  readonly width: number;
  /** None: latents only. */
  readonly format: "png" | "webp" | undefined;
}

/** A rendered picture. */
export interface Picture {
  /** The encoded file. */
  readonly image: Uint8Array | undefined;
  /** Scaled latents, [C, h, w]. */
  readonly latents: Float32Array;
  readonly latentShape: readonly number[];
}

/**
 * Renders pictures as diffusers' StableDiffusionPipeline does, each with a generator of its own: starting noise, and the noise of each step of a
 * sampler that adds some, come from torch's CPU generator with the item's seed.
 *
 * @throws SpinError `invalid` for a size that does not suit the VAE, or a model that gives what is not a number
 */
export async function renderPictures(
  model: LoadedModel,
  encoder: ConditionEncoder,
  { items, batchSize, sampler, height, width, format }: PictureJob,
  beforeRun: BeforeRun,
): Promise<Picture[]> {
  const [pixelsHigh, pixelsWide] = [pictureSide(model, height, "height"), pictureSide(model, width, "width")];
  const latentShape = [model.latentChannels, pixelsHigh / model.factor, pixelsWide / model.factor];
  const size = latentShape.reduce((product, extent) => product * extent, 1);
  const batch = Array.from({ length: batchSize }, (_, i) => items[Math.min(i, items.length - 1)]!);
  const generators = batch.map(({ seed }) => createTorchGenerator(seed));
  const noise = (): Float32Array => {
    const all = new Float32Array(batchSize * size);
    for (const [i, generator] of generators.entries()) all.set(generator.randn(size), i * size);
    return all;
  };

  const prompts = batch.map(({ prompt }) => prompt);
  const states = await encoder.states(model, prompts);
  const emptyPrompts = batch.map(() => "");
  const isGuided = sampler.guidanceScale !== 1;
  const guidance = isGuided
    ? { scale: sampler.guidanceScale, states: await encoder.states(model, emptyPrompts) }
    : undefined;
  const walk = createPipelineSampler(model.frozen.scheduler, sampler);
  const perRun = isGuided ? 2 * batchSize : batchSize;
  beforeRun(perRun);
  const latents = await model.pipeline.sample({
    latents: { shape: [batchSize, ...latentShape], data: noise() },
    states,
    guidance,
    sampler: walk,
    noise,
    onStep: ({ index }) => {
      if (index + 1 < walk.timesteps.length) beforeRun(perRun);
    },
  });
  const pixels = format === undefined ? undefined : await model.pipeline.decode(latents);
  const pictures: Picture[] = [];
  for (const i of items.keys()) {
    const row = (data: Float32Array) => data.slice((i * data.length) / batchSize, ((i + 1) * data.length) / batchSize);
    const image =
      format === undefined || pixels === undefined
        ? undefined
        : // A copy of its own: what sharp gives may be part of a larger buffer.
          Uint8Array.from(await encodeImage(fromTensor(row(pixels.data), pixelsWide, pixelsHigh), format));
    pictures.push({ image, latents: row(latents.data), latentShape });
  }
  return pictures;
}
