import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { saveFolder } from "../../core/checkpoint/atomic-save.js";
import { parseClipTextConfig } from "../../core/models/clip/config.js";
import { cutVocabulary, writeClipTokenizer } from "../../core/models/clip/cut-vocabulary.js";
import {
  clipTextParameterShapes,
  unetParameterShapes,
  vaeParameterShapes,
} from "../../core/models/parameter-shapes.js";
import { parseUnetConfig } from "../../core/models/unet/config.js";
import { parseVaeConfig } from "../../core/models/vae/config.js";
import {
  TINY_CAPTIONS,
  TINY_IMAGE_SIZE,
  TINY_LATENT,
  TINY_PROMPT_LENGTH,
  TINY_SCHEDULER,
  writeJson,
  writeNetwork,
} from "./tiny-model.js";

/** Widths of the two text encoders, and of the pooled text. */
export const TINY_XL_WIDTHS = { first: 16, second: 24, pooled: 12 } as const;

const TIME_WIDTH = 4;

const INDEX = {
  _class_name: "StableDiffusionXLPipeline",
  _diffusers_version: "0.30.0",
  feature_extractor: [null, null],
  force_zeros_for_empty_prompt: true,
  image_encoder: [null, null],
  scheduler: ["diffusers", "EulerDiscreteScheduler"],
  text_encoder: ["transformers", "CLIPTextModel"],
  text_encoder_2: ["transformers", "CLIPTextModelWithProjection"],
  tokenizer: ["transformers", "CLIPTokenizer"],
  tokenizer_2: ["transformers", "CLIPTokenizer"],
  unet: ["diffusers", "UNet2DConditionModel"],
  vae: ["diffusers", "AutoencoderKL"],
};

const UNET = {
  _class_name: "UNet2DConditionModel",
  addition_embed_type: "text_time",
  addition_time_embed_dim: TIME_WIDTH,
  attention_head_dim: [2, 4],
  block_out_channels: [8, 16],
  cross_attention_dim: TINY_XL_WIDTHS.first + TINY_XL_WIDTHS.second,
  down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D"],
  layers_per_block: 1,
  norm_num_groups: 4,
  projection_class_embeddings_input_dim: TINY_XL_WIDTHS.pooled + 6 * TIME_WIDTH,
  sample_size: TINY_LATENT[1],
  transformer_layers_per_block: [1, 2],
  up_block_types: ["CrossAttnUpBlock2D", "UpBlock2D"],
  use_linear_projection: true,
};

const VAE = {
  _class_name: "AutoencoderKL",
  block_out_channels: [8, 16],
  down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D"],
  force_upcast: true,
  latents_mean: [0.1, -0.2, 0.3, 0],
  latents_std: [1.5, 0.8, 1, 1.2],
  norm_num_groups: 4,
  sample_size: TINY_IMAGE_SIZE,
  scaling_factor: 0.5,
  up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D"],
};

const TEXT = {
  intermediate_size: 32,
  max_position_embeddings: TINY_PROMPT_LENGTH,
  model_type: "clip_text_model",
  num_attention_heads: 2,
  num_hidden_layers: 3,
};

const SCHEDULER = {
  ...TINY_SCHEDULER,
  _class_name: "EulerDiscreteScheduler",
  interpolation_type: "linear",
  skip_prk_steps: true,
  timestep_spacing: "leading",
  use_karras_sigmas: false,
};

export interface TinyXlOptions {
  /** Key of the UNet's weights. */
  readonly seed?: bigint;
  /** Entries of `model_index.json` that differ. */
  readonly index?: object;
}

/**
 * Writes a complete SDXL folder with random weights: two text encoders, text_time conditions, transformers of different depth, a VAE
 * that tells the statistics of its latents; 16×16 pixels.
 * @returns the digest of its manifest
 */
export async function writeTinyXlModel(folder: string, { seed = 1n, index }: TinyXlOptions = {}): Promise<string> {
  const vocabulary = cutVocabulary(TINY_CAPTIONS);
  const eos = vocabulary.tokens.length - 1;
  const text = { ...TEXT, vocab_size: vocabulary.tokens.length };
  // As in SDXL: the first encoder's configuration is a legacy one.
  const first = { ...text, architectures: ["CLIPTextModel"], eos_token_id: 2, hidden_size: TINY_XL_WIDTHS.first };
  const second = {
    ...text,
    architectures: ["CLIPTextModelWithProjection"],
    eos_token_id: eos,
    hidden_act: "gelu",
    hidden_size: TINY_XL_WIDTHS.second,
    projection_dim: TINY_XL_WIDTHS.pooled,
  };
  const { digest } = await saveFolder(folder, async (path) => {
    await writeJson(path, "model_index.json", { ...INDEX, ...index });
    await writeJson(path, "scheduler/scheduler_config.json", SCHEDULER);
    await writeNetwork(path, "unet", UNET, unetParameterShapes(parseUnetConfig(UNET, "unet")), seed);
    await writeNetwork(path, "vae", VAE, vaeParameterShapes(parseVaeConfig(VAE, "vae")), 2n);
    await writeNetwork(path, "text_encoder", first, clipTextParameterShapes(parseClipTextConfig(first, "text")), 3n);
    await writeNetwork(path, "text_encoder_2", second, clipTextParameterShapes(parseClipTextConfig(second, "2")), 4n);
    for (const name of ["tokenizer", "tokenizer_2"]) {
      await writeClipTokenizer(join(path, name), vocabulary, TINY_PROMPT_LENGTH);
    }
    await padWithFirstToken(join(path, "tokenizer_2"), vocabulary.tokens[0]!);
  });
  return digest;
}

/** The second tokenizer pads with "!", whose id is 0. */
async function padWithFirstToken(folder: string, token: string): Promise<void> {
  for (const name of ["special_tokens_map.json", "tokenizer_config.json"]) {
    const file = join(folder, name);
    const json = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, `${JSON.stringify({ ...json, pad_token: token }, undefined, 2)}\n`);
  }
}
