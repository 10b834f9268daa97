import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeSafetensors } from "../../core/checkpoint/write-safetensors.js";
import { parseClipTextConfig } from "../../core/models/clip/config.js";
import type { ClipTokenizer } from "../../core/models/clip/tokenizer.js";
import {
  clipTextParameterShapes,
  unetParameterShapes,
  vaeParameterShapes,
} from "../../core/models/parameter-shapes.js";
import { parseUnetConfig } from "../../core/models/unet/config.js";
import { parseVaeConfig } from "../../core/models/vae/config.js";
import { SCHEDULER_CONFIG, TEXT_CONFIG, UNET_CONFIG, VAE_CONFIG } from "./settings.js";

type Weights = ReadonlyMap<string, Float32Array>;

interface Parts {
  readonly vae: Weights;
  /** Text encoder and UNet, prefixed `text_encoder.` and `unet.`. */
  readonly textToImage: Weights;
  readonly tokenizer: ClipTokenizer;
  readonly tokenizerFolder: string;
  readonly scalingFactor: number;
}

/**
 * Writes a folder that `StableDiffusionPipeline.from_pretrained` opens, weights in half precision. The text encoder's
 * are float32: transformers computes in the precision of the file, diffusers in float32, and the two must meet.
 */
export async function writeBase(folder: string, parts: Parts): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const { bosTokenId, eosTokenId, padTokenId, vocabularySize } = parts.tokenizer;
  const text = { ...TEXT_CONFIG, vocab_size: vocabularySize };
  const ids = { bos_token_id: bosTokenId, eos_token_id: eosTokenId, pad_token_id: padTokenId };
  await writeJson(join(folder, "model_index.json"), {
    _class_name: "StableDiffusionPipeline",
    _diffusers_version: "0.30.0",
    feature_extractor: [null, null],
    requires_safety_checker: false,
    safety_checker: [null, null],
    scheduler: ["diffusers", "DDIMScheduler"],
    text_encoder: ["transformers", "CLIPTextModel"],
    tokenizer: ["transformers", "CLIPTokenizer"],
    unet: ["diffusers", "UNet2DConditionModel"],
    vae: ["diffusers", "AutoencoderKL"],
  });
  await writeJson(join(folder, "scheduler", "scheduler_config.json"), SCHEDULER_CONFIG);
  await cp(parts.tokenizerFolder, join(folder, "tokenizer"), { recursive: true });
  const vaeConfig = { ...VAE_CONFIG, scaling_factor: parts.scalingFactor };
  await writeNetwork(
    folder,
    "vae",
    DIFFUSERS,
    vaeConfig,
    vaeParameterShapes(parseVaeConfig(vaeConfig, "vae")),
    parts.vae,
  );
  const scoped = (prefix: string) =>
    new Map(
      [...parts.textToImage].flatMap(([name, values]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), values]] : [],
      ),
    );
  await writeNetwork(
    folder,
    "unet",
    DIFFUSERS,
    UNET_CONFIG,
    unetParameterShapes(parseUnetConfig(UNET_CONFIG, "unet")),
    scoped("unet."),
  );
  await writeNetwork(
    folder,
    "text_encoder",
    TRANSFORMERS,
    { ...text, ...ids },
    clipTextParameterShapes(parseClipTextConfig(text, "text_encoder")),
    scoped("text_encoder."),
  );
}

interface WeightsFormat {
  readonly weightsName: string;
  readonly dtype: "F16" | "F32";
}

const DIFFUSERS: WeightsFormat = { weightsName: "diffusion_pytorch_model", dtype: "F16" };
const TRANSFORMERS: WeightsFormat = { weightsName: "model", dtype: "F32" };

async function writeNetwork(
  folder: string,
  name: string,
  { weightsName, dtype }: WeightsFormat,
  config: object,
  shapes: ReadonlyMap<string, readonly number[]>,
  weights: Weights,
): Promise<void> {
  await writeJson(join(folder, name, "config.json"), config);
  const entries = [...shapes].map(([key, shape]) => ({
    name: key,
    dtype,
    shape,
    data: weights.get(key)!,
  }));
  await writeSafetensors(join(folder, name, `${weightsName}.safetensors`), entries, { format: "pt" });
}

async function writeJson(path: string, value: object): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`);
}
