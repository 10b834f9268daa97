import { withLora } from "../../core/checkpoint/lora-model.js";
import { type ModelFolder, openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import { fromTensor, type RgbImage } from "../../core/data/image.js";
import { createPipelineSampler, type SamplerChoice } from "../../core/diffusion/pipeline-sampler.js";
import { createTorchGenerator } from "../../core/diffusion/torch-generator.js";
import { SpinError } from "../../core/errors.js";
import type { Device } from "../../core/graph/device.js";
import { sizeOf } from "../../core/graph/value.js";
import { vaeFactor } from "../../core/models/vae/config.js";
import { type Conditions, repeatConditions, type UnetConditions, wholePicture } from "../../core/runtime/conditions.js";
import { Pipeline } from "../../core/runtime/pipeline.js";

/** Which pictures to make; samplers other than the model's own read its scheduler's file in their own way. */
export interface RenderSettings extends Pick<SamplerChoice, "spacing" | "karrasSigmas" | "zeroSnr"> {
  /** Diffusers folder. */
  readonly model: string;
  readonly prompt: string;
  /** What guidance leads away from; default: what diffusers takes then, the empty prompt or zeros. */
  readonly negativePrompt?: string;
  readonly steps: number;
  /** w of classifier-free guidance; 1: none. */
  readonly guidance: number;
  /** φ of guidance rescale, 0 to 1; default: 0. */
  readonly guidanceRescale?: number;
  /** Layers of the text encoders to leave out for the prompt; default: 0. */
  readonly clipSkip?: number;
  readonly seed: bigint;
  /** Default: the scheduler that the model names. */
  readonly sampler?: SamplerChoice["kind"];
  /** η of DDIM. */
  readonly eta: number;
  /** Pictures, made together. */
  readonly count: number;
  /** Which weight files, as "fp16"; default: those without a variant. */
  readonly variant?: string;
  /** A LoRA's file or folder, and how much of it is added to the UNet's weights. */
  readonly lora?: { readonly path: string; readonly scale: number };
  /** Where it computes; default: the CPU. */
  readonly device?: Device;
  /** Threads within one operator; default: one per core. */
  readonly threads?: number;
}

/**
 * The pictures that diffusers' StableDiffusionPipeline or StableDiffusionXLPipeline makes of the same folder with
 * `generator=torch.Generator("cpu").manual_seed(seed)` and `num_images_per_prompt=count`: torch's numbers, drawn in the same order.
 * A LoRA is merged into the UNet's weights before.
 *
 * @param onStep told of each sampling step
 * @param onNote told what a person should know of how the folder was opened
 * @throws SpinError naming what is wrong with the folder, or the setting that does not suit the model
 */
export async function renderPictures(
  settings: RenderSettings,
  onStep: (done: number, total: number) => void = () => undefined,
  onNote: (note: string) => void = () => undefined,
): Promise<RgbImage[]> {
  const { count } = settings;
  const pipeline = await Pipeline.load(await openModel(settings), {
    threads: settings.threads,
    device: settings.device,
  });
  for (const note of pipeline.model.notes ?? []) onNote(note);
  try {
    const { sampler: kind, steps: numSteps } = settings;
    const sampler = createPipelineSampler(requireComponent(pipeline.model, "scheduler"), {
      ...settings,
      kind,
      numSteps,
    });
    const shape: readonly number[] = [count, ...latentShape(pipeline.model)];
    const generator = createTorchGenerator(settings.seed);
    const latents = { shape, data: generator.randn(sizeOf(shape)) };
    const sampled = await pipeline.sample({
      latents,
      ...(await conditionsOf(pipeline, shape, settings)),
      sampler,
      noise: () => generator.randn(sizeOf(shape)),
      onStep: ({ index }) => onStep(index + 1, sampler.timesteps.length),
    });
    const { shape: imageShape, data } = await pipeline.decode(sampled);
    const [, channels, height, width] = imageShape as [number, number, number, number];
    const size = channels * height * width;
    return Array.from({ length: count }, (_, i) => fromTensor(data.subarray(i * size, (i + 1) * size), width, height));
  } finally {
    await pipeline.release();
  }
}

async function openModel({ model: path, lora, variant }: RenderSettings): Promise<ModelFolder> {
  const model = await openModelFolder(path, { variant });
  return lora === undefined ? model : withLora(model, lora.path, lora.scale);
}

/** What all pictures are conditioned on. @param shape of their latents */
async function conditionsOf(
  pipeline: Pipeline,
  [count, , height, width]: readonly number[],
  { prompt, negativePrompt, guidance, guidanceRescale, clipSkip }: RenderSettings,
): Promise<Conditions> {
  const factor = vaeFactor(requireComponent(pipeline.model, "vae").config);
  const sizes = pipeline.timeIds([wholePicture(height! * factor, width! * factor)]);
  const rows = (conditions: UnetConditions) => repeatConditions({ ...conditions, ...sizes }, count!);
  const conditions = rows(await pipeline.encodePrompts([prompt], { clipSkip }));
  if (guidance === 1) return conditions;
  const negative = rows(await pipeline.encodeNegative(negativePrompt));
  return { ...conditions, guidance: { ...negative, scale: guidance, rescale: guidanceRescale } };
}

/** [C, H, W] of one picture's latents, at the size that the model was made for. */
function latentShape(model: ModelFolder): [number, number, number] {
  const { folder, config } = requireComponent(model, "unet");
  const { inChannels, sampleSize } = config;
  if (sampleSize !== undefined) return [inChannels, sampleSize, sampleSize];
  throw new SpinError("invalid", `${folder}/config.json does not say for which size the model was made`, {
    file: `${folder}/config.json`,
    field: "sample_size",
    remedy: "set sample_size to the height of its latents",
  });
}
