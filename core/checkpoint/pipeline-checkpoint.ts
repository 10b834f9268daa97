import { stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import * as z from "zod";
import { SpinError } from "../errors.js";
import { parseConfig, readJsonFile } from "../json-config.js";
import { saveFolder } from "./atomic-save.js";
import { linkOrCopy } from "./link-file.js";
import { LORA_FILE } from "./lora-file.js";
import { listModelFiles, type Manifest } from "./manifest.js";
import { type ModelFolder, requireComponent } from "./model-folder.js";
import { MODEL_INDEX } from "./model-index.js";
import { entriesIn } from "./presence.js";
import type { SafetensorsFile } from "./safetensors.js";
import { type TensorEntry, writeSafetensors } from "./write-safetensors.js";

/** A trained UNet and the model that everything else comes from. */
export interface PipelineCheckpoint {
  readonly base: ModelFolder;
  /** Values of every tensor of the base's UNet, by name; those of a file are read one at a time. */
  readonly unet: ReadonlyMap<string, Float32Array> | SafetensorsFile;
  /** Element type to write: for each tensor what the base has, or float32. As the base has it unless told otherwise. */
  readonly dtype?: WeightsDtype;
  /** Adds files to the folder before it is moved into place, as a LoRA or training state. */
  readonly extra?: (folder: string) => Promise<void>;
}

export type WeightsDtype = "source" | "F32";

/**
 * Saves a checkpoint as a folder in diffusers' layout: the base's files byte for byte, linked where the file system allows, with a new
 * UNet under the base's file name, keys and order. Where the base is a pipeline, so is the checkpoint (`DiffusionPipeline.from_pretrained`): what the
 * base's index names and the base has not, as a safety checker that was never downloaded, is null in the checkpoint's.
 * A LoRA in the base's folder was for another UNet and stays behind.
 * @returns its manifest
 * @throws SpinError "invalid" for weights that are not the base's or not finite, and as `saveFolder`
 */
export async function savePipelineCheckpoint(target: string, checkpoint: PipelineCheckpoint): Promise<Manifest> {
  const { base } = checkpoint;
  const unet = requireComponent(base, "unet");
  const entries = unetEntries(checkpoint);
  return saveFolder(target, async (folder) => {
    const isBare = unet.folder === base.path;
    const carried = await carriedFiles(base);
    const absent = [...carried].flatMap(([name, files]) => (files.length === 0 ? [name] : []));
    for (const path of await unchangedFiles(base, isBare, [...carried.values()].flat())) {
      if (path === MODEL_INDEX && absent.length > 0) await writeIndexWithout(absent, base.path, folder);
      else await linkOrCopy(join(base.path, path), join(folder, path));
    }
    const metadata = { ...Object.fromEntries(unet.weights.metadata), format: "pt" };
    const unetFolder = isBare ? folder : join(folder, "unet");
    await writeSafetensors(join(unetFolder, weightsName(unet.weights.path)), entries, metadata);
    await checkpoint.extra?.(folder);
  });
}

/**
 * What a checkpoint takes over from its base, relative paths: all but the UNet's weights, in whatever variants; of components that are only
 * carried along every file, for their weights may be in formats that are not read here.
 */
async function unchangedFiles(base: ModelFolder, isBare: boolean, carried: readonly string[]): Promise<string[]> {
  const isUnetWeights = (path: string) =>
    (isBare || path.startsWith("unet/")) && path !== "config.json" && path !== "unet/config.json";
  const files = (await listModelFiles(base.path)).filter((path) => !isUnetWeights(path) && path !== LORA_FILE);
  return [...new Set([...files, ...carried])];
}

/** Files of each component that is only carried along; none of one that its index names and the base has not. */
async function carriedFiles({ path, carried = [] }: ModelFolder): Promise<ReadonlyMap<string, readonly string[]>> {
  return new Map(await Promise.all(carried.map(async (name) => [name, await filesBelow(path, name)] as const)));
}

/** The base's index with null for what is not there, as diffusers writes it, which would not open the folder otherwise. */
async function writeIndexWithout(absent: readonly string[], base: string, folder: string): Promise<void> {
  const index = parseConfig(z.looseObject({}), await readJsonFile(join(base, MODEL_INDEX)), join(base, MODEL_INDEX));
  const nulls = Object.fromEntries(absent.map((name) => [name, [null, null]]));
  await writeFile(join(folder, MODEL_INDEX), `${JSON.stringify({ ...index, ...nulls }, undefined, 2)}\n`);
}

/** Deeper folders are no part of a component; a link in a circle ends here. */
const MAX_DEPTH = 3;

/** Files of a component that may be missing, but for hidden ones. */
async function filesBelow(folder: string, name: string, depth = 1): Promise<string[]> {
  if (depth > MAX_DEPTH) return [];
  const entries = await entriesIn(join(folder, name));
  const below = entries
    .filter((entry) => !entry.name.startsWith("."))
    .map(async (entry) => {
      const path = `${name}/${entry.name}`;
      // stat, not the entry: caches of downloaded models keep links to the files.
      return (await stat(join(folder, path))).isDirectory() ? filesBelow(folder, path, depth + 1) : [path];
    });
  return (await Promise.all(below)).flat();
}

/** The one file that takes the place of the base's weights: shards are joined. */
function weightsName(source: string): string {
  const name = basename(source);
  const index = /^(.*)\.safetensors\.index(\.\w+)?\.json$/.exec(name);
  return index === null ? name : `${index[1]}${index[2] ?? ""}.safetensors`;
}

/** In the order of the base's file, so that equal values make equal bytes. */
function unetEntries({ base, unet, dtype = "source" }: PipelineCheckpoint): TensorEntry[] {
  const { weights } = requireComponent(base, "unet");
  const names = "tensors" in unet ? unet.tensors : unet;
  const unknown = [...names.keys()].find((name) => !weights.tensors.has(name));
  if (unknown !== undefined) throw refused(unknown, "is not in the base's UNet");
  return [...weights.tensors].map(([name, tensor]) => {
    if (!names.has(name)) throw refused(name, "is missing");
    const data =
      "tensors" in unet
        ? async () => checked(name, tensor.shape, await unet.readFloat32(name))
        : checked(name, tensor.shape, unet.get(name)!);
    return { name, dtype: dtype === "source" ? tensor.dtype : dtype, shape: tensor.shape, data };
  });
}

function checked(name: string, shape: readonly number[], data: Float32Array): Float32Array {
  const size = shape.reduce((product, extent) => product * extent, 1);
  if (data.length !== size) throw refused(name, `has ${data.length} values, expected [${shape.join(", ")}]`);
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw refused(name, `holds ${data[at]} at position ${at}`);
  return data;
}

function refused(tensor: string, problem: string): SpinError {
  return new SpinError("invalid", `UNet to be saved: tensor ${JSON.stringify(tensor)} ${problem}`, {
    tensor,
    remedy: "the checkpoint was not written; the one before is untouched",
  });
}
