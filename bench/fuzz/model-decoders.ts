import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readLora, writeLora } from "../../core/checkpoint/lora-file.js";
import { readModelIndex } from "../../core/checkpoint/model-index.js";
import { openSafetensors } from "../../core/checkpoint/safetensors.js";
import { openTorchFile } from "../../core/checkpoint/torch/torch-file.js";
import { parseSchedulerConfig } from "../../core/diffusion/scheduler-config.js";
import { readJsonFile } from "../../core/json-config.js";
import { loadWordPieceTokenizer } from "../../core/models/bert/word-pieces.js";
import { parseBlipConfig } from "../../core/models/blip/config.js";
import { parseClipConfig } from "../../core/models/clip/config.js";
import { parseOpenClipConfig } from "../../core/models/clip/open-clip-config.js";
import { loadClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { clipParameterShapes, unetParameterShapes, vaeParameterShapes } from "../../core/models/parameter-shapes.js";
import { parseUnetConfig } from "../../core/models/unet/config.js";
import { parseVaeConfig } from "../../core/models/vae/config.js";
import { LORA_A, LORA_B } from "../../core/nn/lora.js";
import { type Decoder, golden, texts, written } from "./decoder.js";

const config = (name: string, seeds: readonly string[], parse: (json: unknown, path: string) => unknown): Decoder => ({
  name: `config of ${name}`,
  seeds: golden(...seeds),
  decode: async ({ file }) => {
    const path = await file();
    return parse(await readJsonFile(path), path);
  },
});

const LAYER = { rank: 2, alpha: 4 };

async function everyTensor(file: Awaited<ReturnType<typeof openSafetensors>>): Promise<void> {
  for (const name of file.tensors.keys()) await file.read(name);
}

/** A small UNet's linear layer and convolution, which is all that an adapter asks about. */
const LORA_SHAPES = new Map([
  ["down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight", [8, 8]],
  ["mid_block.resnets.0.conv1.weight", [8, 8, 3, 3]],
]);

function loraFiles(): Promise<Uint8Array[]> {
  const layers = new Map([...LORA_SHAPES.keys()].map((name) => [name.slice(0, -".weight".length), LAYER]));
  const weights = new Map(
    [...layers.keys()].flatMap((module) => {
      const kernel = module.endsWith("conv1") ? 9 : 1;
      return [
        [`${module}.${LORA_A}`, new Float32Array(LAYER.rank * 8 * kernel).fill(0.5)],
        [`${module}.${LORA_B}`, new Float32Array(8 * LAYER.rank).fill(0.25)],
      ] as const;
    }),
  );
  return written(async (path) => {
    await writeLora(path("peft"), { layers, weights }, LORA_SHAPES, { keys: "peft" });
    await writeLora(path("diffusers"), { layers, weights }, LORA_SHAPES, { keys: "diffusers" });
    return ["peft", "diffusers"];
  });
}

const WORDS = ["<|startoftext|>", "<|endoftext|>", "a", "c", "t</w>", "o", "f</w>", "ca", "cat</w>", "of</w>"];

/** What model folders hold. */
export const MODEL_DECODERS: readonly Decoder[] = [
  {
    name: "safetensors",
    seeds: golden("score/clip-gelu/aesthetic.safetensors", "score/blip/mlp.safetensors"),
    decode: async ({ file }) => everyTensor(await openSafetensors(await file())),
  },
  {
    name: "torch .pt",
    seeds: golden("score/clip-gelu/aesthetic.pth", "score/clip-quick-gelu/aesthetic.pth"),
    decode: async ({ file }) => everyTensor(await openTorchFile(await file())),
  },
  { name: "LoRA", seeds: loraFiles, decode: async ({ file }) => readLora(await file(), LORA_SHAPES) },
  config("UNet", ["unet-forward/sd15/model/config.json", "unet-forward/sdxl/model/config.json"], (json, path) =>
    unetParameterShapes(parseUnetConfig(json, path)),
  ),
  config("VAE", ["vae-encode/sd15/model/config.json"], (json, path) => vaeParameterShapes(parseVaeConfig(json, path))),
  config("CLIP", ["score/clip-gelu/clip/config.json"], (json, path) =>
    clipParameterShapes(parseClipConfig(json, path)),
  ),
  config("open_clip", ["score/clip-gelu/open_clip_config.json"], (json, path) =>
    clipParameterShapes(parseOpenClipConfig(json, path)),
  ),
  config("BLIP", ["score/blip/model/config.json"], parseBlipConfig),
  config(
    "scheduler",
    ["scheduler/ddim/scheduler/scheduler_config.json", "scheduler/dpm-karras/scheduler/scheduler_config.json"],
    (json, path) => parseSchedulerConfig(json as Record<string, unknown>, path),
  ),
  {
    name: "model_index.json",
    seeds: texts(
      JSON.stringify({
        _class_name: "StableDiffusionPipeline",
        unet: ["diffusers", "UNet2DConditionModel"],
        vae: ["diffusers", "AutoencoderKL"],
        text_encoder: ["transformers", "CLIPTextModel"],
        tokenizer: ["transformers", "CLIPTokenizer"],
        safety_checker: [null, null],
      }),
    ),
    decode: async ({ file, folder }) => {
      await file("model_index.json");
      return readModelIndex(folder);
    },
  },
  {
    name: "CLIP vocabulary",
    seeds: golden("tokenize/small-vocabulary/tokenizer/vocab.json"),
    decode: async ({ file, folder }) => {
      await file("vocab.json");
      await writeFile(join(folder, "merges.txt"), "#version: 0.2\n");
      return (await loadClipTokenizer(folder)).encode("a photo of a cat");
    },
  },
  {
    name: "CLIP merges",
    seeds: texts("#version: 0.2\nc a\nca t</w>\no f</w>\n"),
    decode: async ({ file, folder }) => {
      await file("merges.txt");
      await writeFile(
        join(folder, "vocab.json"),
        JSON.stringify(Object.fromEntries(WORDS.map((word, id) => [word, id]))),
      );
      return (await loadClipTokenizer(folder)).encode("a photo of a cat");
    },
  },
  {
    name: "CLIP tokenizer.json",
    seeds: texts(
      JSON.stringify({
        model: { type: "BPE", vocab: { a: 0, b: 1, "ab</w>": 2, "b</w>": 3, ab: 6 }, merges: ["a b</w>", ["a", "b"]] },
        added_tokens: [
          { id: 4, content: "<|startoftext|>" },
          { id: 5, content: "<|endoftext|>" },
        ],
      }),
    ),
    decode: async ({ file, folder }) => {
      await file("tokenizer.json");
      return (await loadClipTokenizer(folder)).encode("ab ba");
    },
  },
  {
    name: "BERT vocabulary",
    seeds: texts("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\ncat\n"),
    decode: async ({ file }) => (await loadWordPieceTokenizer(await file())).encode("a cat, ab", 16),
  },
];
