import { encodeImage, fromTensor } from "../core/data/image.js";
import { createPipelineSampler, type SamplerChoice } from "../core/diffusion/pipeline-sampler.js";
import { createTorchGenerator } from "../core/diffusion/torch-generator.js";
import { type Conditions, type PictureGeometry, repeatConditions, wholePicture } from "../core/runtime/conditions.js";
import type { ConditionEncoder } from "./condition-encoder.js";
import type { BeforeRun, GuidanceChoice } from "./draws.js";
import { type LoadedModel, pictureSide } from "./loaded-models.js";

/** A batch of pictures to render. */
export interface PictureJob {
  /** 1 to `batchSize`. */
  readonly items: readonly { readonly prompt: string; readonly seed: bigint }[];
  /** Pictures computed together: fewer are filled up, so that rounding depends on this number alone. */
  readonly batchSize: number;
  readonly sampler: SamplerChoice & GuidanceChoice;
  /** Where guided: what to lead away from; undefined: what diffusers takes then. */
  readonly negativePrompt: string | undefined;
  /** Layers of the text encoders to leave out. */
  readonly clipSkip: number;
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
  job: PictureJob,
  beforeRun: BeforeRun,
): Promise<Picture[]> {
  const { items, batchSize, sampler, format } = job;
  const [pixelsHigh, pixelsWide] = [pictureSide(model, job.height, "height"), pictureSide(model, job.width, "width")];
  const latentShape = [model.latentChannels, pixelsHigh / model.factor, pixelsWide / model.factor];
  const size = latentShape.reduce((product, extent) => product * extent, 1);
  const batch = Array.from({ length: batchSize }, (_, i) => items[Math.min(i, items.length - 1)]!);
  const generators = batch.map(({ seed }) => createTorchGenerator(seed));
  const noise = (): Float32Array => {
    const all = new Float32Array(batchSize * size);
    for (const [i, generator] of generators.entries()) all.set(generator.randn(size), i * size);
    return all;
  };

  const conditions = await conditionsOf(model, encoder, job, batch, wholePicture(pixelsHigh, pixelsWide));
  const walk = createPipelineSampler(model.frozen.scheduler, sampler);
  const perRun = conditions.guidance === undefined ? batchSize : 2 * batchSize;
  beforeRun(perRun);
  const latents = await model.pipeline.sample({
    latents: { shape: [batchSize, ...latentShape], data: noise() },
    ...conditions,
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

/** What the pictures of a batch are conditioned on. */
async function conditionsOf(
  model: LoadedModel,
  encoder: ConditionEncoder,
  { batchSize, sampler, negativePrompt, clipSkip }: PictureJob,
  batch: PictureJob["items"],
  geometry: PictureGeometry,
): Promise<Conditions> {
  const sizes = model.pipeline.timeIds(Array.from({ length: batchSize }, () => geometry));
  const prompts = batch.map(({ prompt }) => prompt);
  const conditions = { ...(await encoder.prompts(model, prompts, clipSkip)), ...sizes };
  const { guidanceScale: scale, guidanceRescale: rescale } = sampler;
  if (scale === 1) return conditions;
  const negative = repeatConditions(await encoder.negative(model, negativePrompt), batchSize);
  return { ...conditions, guidance: { ...negative, ...sizes, scale, rescale } };
}
