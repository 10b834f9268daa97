import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TINY } from "../../bench/leaks/tiny-configs.js";
import { saveFolder } from "../../core/checkpoint/atomic-save.js";
import { writeSafetensors } from "../../core/checkpoint/write-safetensors.js";
import { createPhiloxStream, type PhiloxStream } from "../../core/diffusion/philox.js";
import { type Shape, sizeOf } from "../../core/graph/value.js";
import { parseClipTextConfig } from "../../core/models/clip/config.js";
import { cutVocabulary, writeClipTokenizer } from "../../core/models/clip/cut-vocabulary.js";
import {
  clipTextParameterShapes,
  type ParameterShapes,
  unetParameterShapes,
  vaeParameterShapes,
} from "../../core/models/parameter-shapes.js";
import { parseUnetConfig } from "../../core/models/unet/config.js";
import { parseVaeConfig } from "../../core/models/vae/config.js";

/** Height and width of the tiny model's pictures, in pixels. */
export const TINY_IMAGE_SIZE = 16;
/** Its latents, [C, H, W]. */
export const TINY_LATENT = [4, 8, 8] as const;
/** Token ids per prompt. */
export const TINY_PROMPT_LENGTH = 8;

export interface TinyModelOptions {
  /** Key of the UNet's weights alone; all else is the same for every seed, as it is for checkpoints of one run. */
  readonly seed?: bigint;
  /** Entries of `scheduler_config.json` that differ from DDIM over SD-1.5's noise schedule. */
  readonly scheduler?: Readonly<Record<string, unknown>>;
  /** Entries of the UNet's `config.json` that differ. */
  readonly unet?: Readonly<Record<string, unknown>>;
}

/** A UNet of one level: half the graph, and half the time that building it takes. */
export const ONE_LEVEL = {
  block_out_channels: [8],
  down_block_types: ["CrossAttnDownBlock2D"],
  up_block_types: ["CrossAttnUpBlock2D"],
};

const INDEX = {
  _class_name: "StableDiffusionPipeline",
  scheduler: ["diffusers", "DDIMScheduler"],
  text_encoder: ["transformers", "CLIPTextModel"],
  tokenizer: ["transformers", "CLIPTokenizer"],
  unet: ["diffusers", "UNet2DConditionModel"],
  vae: ["diffusers", "AutoencoderKL"],
};

const { unet: UNET, vae: VAE } = TINY;
const TEXT = { ...TINY.textEncoder, max_position_embeddings: TINY_PROMPT_LENGTH };
/** DDIM over SD-1.5's noise schedule. */
export const TINY_SCHEDULER = TINY.scheduler;

/** Enough for every word of them to be a token; all other words come apart into pieces. */
export const TINY_CAPTIONS = [
  "a red heart",
  "a woman scientist with dark skin and curly hair",
  "three o'clock",
  "a blue square",
];

/**
 * Writes a complete Stable Diffusion folder with random weights: SD-1.5's topology in two levels, 16×16 pixels, latents
 * [4, 8, 8], some 115,000 parameters. Each layer keeps the size of its input about the same, so every weight and every
 * condition shows in the output.
 * @returns the digest of its manifest
 */
export async function writeTinyModel(
  folder: string,
  { seed = 1n, scheduler, unet: changes }: TinyModelOptions = {},
): Promise<string> {
  const unet = { ...UNET, ...changes };
  const schedulerConfig = { ...TINY_SCHEDULER, ...scheduler };
  const vocabulary = cutVocabulary(TINY_CAPTIONS);
  const text = { ...TEXT, vocab_size: vocabulary.tokens.length, eos_token_id: vocabulary.tokens.length - 1 };
  const { digest } = await saveFolder(folder, async (path) => {
    const index = { ...INDEX, scheduler: ["diffusers", schedulerConfig._class_name] };
    await writeJson(path, "model_index.json", index);
    await writeJson(path, "scheduler/scheduler_config.json", schedulerConfig);
    await writeNetwork(path, "unet", unet, unetParameterShapes(parseUnetConfig(unet, "unet")), seed);
    await writeNetwork(path, "vae", VAE, vaeParameterShapes(parseVaeConfig(VAE, "vae")), 2n);
    await writeNetwork(path, "text_encoder", text, clipTextParameterShapes(parseClipTextConfig(text, "text")), 3n);
    await writeClipTokenizer(join(path, "tokenizer"), vocabulary, TINY_PROMPT_LENGTH);
  });
  return digest;
}

/** Writes a component with random weights: `config.json` and its weights. */
export async function writeNetwork(path: string, name: string, config: object, shapes: ParameterShapes, seed: bigint) {
  await writeJson(path, `${name}/config.json`, config);
  const file = name.startsWith("text_encoder") ? "model.safetensors" : "diffusion_pytorch_model.safetensors";
  const entries = [...shapes].map(([key, shape], index) => {
    const stream = createPhiloxStream(seed, { iteration: 0, index, purpose: 0 });
    return { name: key, dtype: "F32" as const, shape, data: randomWeight(key, shape, stream) };
  });
  await writeSafetensors(join(path, name, file), entries);
}

/** Norm weights about 1, biases about 0, all else of variance 1 / fan-in. */
function randomWeight(name: string, shape: Shape, stream: PhiloxStream): Float32Array {
  const size = sizeOf(shape);
  const normals = stream.normals(size);
  if (/norm/.test(name)) return normals.map((z) => (name.endsWith("weight") ? 1 : 0) + 0.1 * z);
  if (name.endsWith("bias")) return normals.map((z) => 0.1 * z);
  const deviation = 1 / Math.sqrt(/embedding\.weight$/.test(name) ? 1 : size / shape[0]!);
  return normals.map((z) => deviation * z);
}

export async function writeJson(folder: string, name: string, value: object): Promise<void> {
  const file = join(folder, name);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
