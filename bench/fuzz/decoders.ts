import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openSafetensors } from "../../core/checkpoint/safetensors.js";
import { openTorchFile } from "../../core/checkpoint/torch/torch-file.js";
import { decodeImage } from "../../core/data/image.js";
import { METADATA_FILE, readImageFolder } from "../../core/data/image-folder.js";
import { IndexFolder } from "../../core/data/index-folder.js";
import { indexShard } from "../../core/data/pick-a-pic-shard.js";
import { readPromptList } from "../../core/data/prompt-list.js";
import { parseSchedulerConfig } from "../../core/diffusion/scheduler-config.js";
import { SpinError } from "../../core/errors.js";
import { readJsonFile } from "../../core/json-config.js";
import { loadWordPieceTokenizer } from "../../core/models/bert/word-pieces.js";
import { parseBlipConfig } from "../../core/models/blip/config.js";
import { parseClipConfig } from "../../core/models/clip/config.js";
import { parseOpenClipConfig } from "../../core/models/clip/open-clip-config.js";
import { loadClipTokenizer } from "../../core/models/clip/tokenizer.js";
import { clipParameterShapes, unetParameterShapes, vaeParameterShapes } from "../../core/models/parameter-shapes.js";
import { parseUnetConfig } from "../../core/models/unet/config.js";
import { parseVaeConfig } from "../../core/models/vae/config.js";
import { decodeFloat32, encodeTensor } from "../../core/service/tensor-codec.js";
import { Tensor } from "../../proto/gen/spin/v1/tensor.js";

/** Something that reads bytes from outside. */
export interface Decoder {
  readonly name: string;
  /** Valid inputs, from which bad ones are made: files of the golden cases, or bytes. */
  readonly seeds: readonly (string | Uint8Array)[];
  /** Reads all that there is to read. `path` is where the bytes lie. */
  readonly decode: (path: string, bytes: Uint8Array) => Promise<unknown>;
}

const text = (value: string) => new TextEncoder().encode(value);

const config = (name: string, seeds: readonly string[], parse: (json: unknown, path: string) => unknown): Decoder => ({
  name: `config of ${name}`,
  seeds,
  decode: async (path) => parse(await readJsonFile(path), path),
});

async function everyTensor(file: Awaited<ReturnType<typeof openSafetensors>>): Promise<void> {
  for (const name of file.tensors.keys()) await file.read(name);
}

/** A message that is no protobuf is refused before any handler sees it, by the generated code, with errors of its own. */
function wireTensor(bytes: Uint8Array): unknown {
  let tensor: Tensor;
  try {
    tensor = Tensor.decode(bytes);
  } catch (cause) {
    throw new SpinError("invalid", "not a message", { cause });
  }
  return decodeFloat32(tensor, "tensor");
}

const PROMPTS = {
  txt: text("a red fox\n\na blue heart on a hill\n"),
  jsonl: text('{"prompt": "a red fox"}\n{"prompt": "a blue heart", "negative_prompt": "grey"}\n'),
  tsv: text('Prompt\tCategory\tChallenge\tNote\na "red" fox\tAnimals\tBasic\t\nblue\tAbstract\tBasic\tx\n'),
  json: text('["a red fox", "a blue heart"]'),
};

/** Every decoder of files and messages from outside. */
export const DECODERS: readonly Decoder[] = [
  {
    name: "tensor message",
    seeds: [Tensor.encode(encodeTensor([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))).finish()],
    decode: async (_, bytes) => wireTensor(bytes),
  },
  {
    name: "safetensors",
    seeds: ["score/clip-gelu/aesthetic.safetensors", "score/blip/mlp.safetensors"],
    decode: async (path) => everyTensor(await openSafetensors(path)),
  },
  {
    name: "torch .pt",
    seeds: ["score/clip-gelu/aesthetic.pth", "score/clip-quick-gelu/aesthetic.pth"],
    decode: async (path) => everyTensor(await openTorchFile(path)),
  },
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
    name: "Pick-a-Pic parquet",
    seeds: ["dataset/snappy/train-00000-of-00001.parquet", "dataset/zstd/train-00000-of-00001.parquet"],
    decode: async (path) => indexShard(dirname(path), "input"),
  },
  {
    name: "picture",
    seeds: [
      "preprocess/pictures/images/alpha.png",
      "preprocess/pictures/images/palette.png",
      "preprocess/pictures/images/rotated.jpg",
      "dataset/imagefolder/images/f.webp",
    ],
    decode: async (path, bytes) => decodeImage(bytes, path),
  },
  {
    name: "image folder's metadata.jsonl",
    seeds: ["dataset/imagefolder/images/metadata.jsonl"],
    decode: async (path) => {
      const folder = await folderWith(path, METADATA_FILE);
      return readImageFolder({ folder, indices: new IndexFolder(join(dirname(path), "indices")) });
    },
  },
  ...(["txt", "jsonl", "tsv", "json"] as const).map(
    (kind): Decoder => ({
      name: `prompt list .${kind}`,
      seeds: [PROMPTS[kind]],
      decode: async (path) =>
        readPromptList("input", join(await folderWith(path, `prompts.${kind}`), `prompts.${kind}`)),
    }),
  ),
  {
    name: "CLIP vocabulary",
    seeds: ["tokenize/small-vocabulary/tokenizer/vocab.json"],
    decode: async (path) => {
      const folder = await folderWith(path, "vocab.json");
      await writeFile(join(folder, "merges.txt"), "#version: 0.2\n");
      return (await loadClipTokenizer(folder)).encode("a photo of a cat");
    },
  },
  {
    name: "BERT vocabulary",
    seeds: [text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\ncat\n")],
    decode: async (path) => (await loadWordPieceTokenizer(path)).encode("a cat, ab", 16),
  },
];

/** The bytes under another name, alone in a folder. */
async function folderWith(path: string, name: string): Promise<string> {
  const folder = join(dirname(path), "folder");
  await mkdir(folder, { recursive: true });
  await copyFile(path, join(folder, name));
  return folder;
}

/** A decoder's valid inputs. @param cases folder of the golden cases */
export function loadSeeds({ seeds }: Decoder, cases: string): Promise<Uint8Array[]> {
  return Promise.all(seeds.map(async (seed) => (typeof seed === "string" ? readFile(join(cases, seed)) : seed)));
}
