import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { saveFolder } from "../../core/checkpoint/atomic-save.js";
import type { Manifest } from "../../core/checkpoint/manifest.js";
import { writeSafetensors } from "../../core/checkpoint/write-safetensors.js";
import { createPhiloxStream } from "../../core/diffusion/philox.js";
import { sizeOf } from "../../core/graph/value.js";
import { parseClipTextConfig } from "../../core/models/clip/config.js";
import { loadClipTokenizer } from "../../core/models/clip/tokenizer.js";
import {
  clipTextParameterShapes,
  type ParameterShapes,
  unetParameterShapes,
  vaeParameterShapes,
} from "../../core/models/parameter-shapes.js";
import { parseUnetConfig } from "../../core/models/unet/config.js";
import { parseVaeConfig } from "../../core/models/vae/config.js";
import type { ModelConfigs } from "./configs.js";
import { randomWeight } from "./random-weight.js";

export interface WriteOptions {
  /** Of all weights. */
  readonly dtype: "F32" | "F16";
  /** Key of the random numbers: the same seed gives the same folder, byte for byte. */
  readonly seed: bigint;
  /** A folder with `vocab.json` and `merges.txt`, which the model takes over. */
  readonly tokenizer: string;
  /** Called with the parameters that are written, after each tensor. */
  readonly onProgress?: (written: number, all: number) => void;
}

interface Part {
  readonly name: string;
  readonly config: object;
  readonly weightsFile: string;
  readonly shapes: ParameterShapes;
}

const INDEX = {
  _class_name: "StableDiffusionPipeline",
  _diffusers_version: "0.30.0",
  feature_extractor: [null, null],
  requires_safety_checker: false,
  safety_checker: [null, null],
  text_encoder: ["transformers", "CLIPTextModel"],
  tokenizer: ["transformers", "CLIPTokenizer"],
  unet: ["diffusers", "UNet2DConditionModel"],
  vae: ["diffusers", "AutoencoderKL"],
};
const TOKENIZER_FILES = ["vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"];
const DIFFUSERS_WEIGHTS = "diffusion_pytorch_model.safetensors";

/**
 * Writes a whole Stable Diffusion folder with random weights, which `StableDiffusionPipeline.from_pretrained` opens. One tensor is in
 * memory at a time.
 * @throws SpinError "alreadyExists" where the folder holds something else, "notFound" for a tokenizer that is not there
 */
export async function writeModel(
  folder: string,
  configs: ModelConfigs,
  { dtype, seed, tokenizer, onProgress = () => undefined }: WriteOptions,
): Promise<Manifest> {
  const { vocabularySize, bosTokenId, eosTokenId, padTokenId } = await loadClipTokenizer(tokenizer);
  const ids = { bos_token_id: bosTokenId, eos_token_id: eosTokenId, pad_token_id: padTokenId };
  const parts = networks(configs, { ...configs.textEncoder, vocab_size: vocabularySize, ...ids });
  const all = parts.reduce((sum, { shapes }) => sum + countOf(shapes), 0);
  return saveFolder(folder, async (path) => {
    const scheduler = ["diffusers", configs.scheduler._class_name];
    await writeJson(join(path, "model_index.json"), { ...INDEX, scheduler });
    await writeJson(join(path, "scheduler", "scheduler_config.json"), configs.scheduler);
    await mkdir(join(path, "tokenizer"));
    for (const file of TOKENIZER_FILES) await copyFile(join(tokenizer, file), join(path, "tokenizer", file));
    let written = 0;
    for (const [iteration, { name, config, weightsFile, shapes }] of parts.entries()) {
      await writeJson(join(path, name, "config.json"), config);
      const entries = [...shapes].map(([key, shape], index) => ({
        name: key,
        dtype,
        shape,
        data: () => {
          const stream = createPhiloxStream(seed, { iteration, index, purpose: 0 });
          const values = randomWeight(key, shape, shapes, stream);
          written += values.length;
          onProgress(written, all);
          return values;
        },
      }));
      await writeSafetensors(join(path, name, weightsFile), entries, { format: "pt" });
    }
  });
}

function networks({ unet, vae }: ModelConfigs, text: object): Part[] {
  return [
    {
      name: "unet",
      config: unet,
      weightsFile: DIFFUSERS_WEIGHTS,
      shapes: unetParameterShapes(parseUnetConfig(unet, "unet")),
    },
    {
      name: "vae",
      config: vae,
      weightsFile: DIFFUSERS_WEIGHTS,
      shapes: vaeParameterShapes(parseVaeConfig(vae, "vae")),
    },
    {
      name: "text_encoder",
      config: text,
      weightsFile: "model.safetensors",
      shapes: clipTextParameterShapes(parseClipTextConfig(text, "text_encoder")),
    },
  ];
}

function countOf(shapes: ParameterShapes): number {
  return [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
}

async function writeJson(path: string, value: object): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`);
}
