import { join } from "node:path";
import { SpinError } from "../errors.js";
import { saveFolder } from "./atomic-save.js";
import { linkOrCopy } from "./link-file.js";
import { LORA_FILE } from "./lora-file.js";
import { listModelFiles, type Manifest } from "./manifest.js";
import { type ModelFolder, requireComponent } from "./model-folder.js";
import type { SafetensorsFile } from "./safetensors.js";
import { type TensorEntry, writeSafetensors } from "./write-safetensors.js";

/** A trained UNet and the model that everything else comes from. */
export interface PipelineCheckpoint {
  readonly base: ModelFolder;
  /** Values of every tensor of the base's UNet, by name; those of a file are read one at a time. */
  readonly unet: ReadonlyMap<string, Float32Array> | SafetensorsFile;
  /** Element type to write: float32, or for each tensor what the base has. Float32 unless told otherwise. */
  readonly dtype?: "F32" | "source";
  /** Adds files to the folder before it is moved into place, as a LoRA or training state. */
  readonly extra?: (folder: string) => Promise<void>;
}

const UNET_WEIGHTS = "diffusion_pytorch_model.safetensors";

/**
 * Saves a checkpoint as a folder in diffusers' layout: the base's files, linked where the file system allows, with a new
 * UNet. Where the base is a pipeline, so is the checkpoint (`StableDiffusionPipeline.from_pretrained`). A LoRA in the base's
 * folder was for another UNet and stays behind.
 * @returns its manifest
 * @throws SpinError "invalid" for weights that are not the base's or not finite, and as `saveFolder`
 */
export async function savePipelineCheckpoint(target: string, checkpoint: PipelineCheckpoint): Promise<Manifest> {
  const unet = requireComponent(checkpoint.base, "unet");
  const entries = unetEntries(checkpoint);
  return saveFolder(target, async (folder) => {
    const isBare = unet.folder === checkpoint.base.path;
    for (const path of await listModelFiles(checkpoint.base.path)) {
      const isUnetWeights =
        (isBare || path.startsWith("unet/")) && !path.endsWith("/config.json") && path !== "config.json";
      if (!isUnetWeights && path !== LORA_FILE) await linkOrCopy(join(checkpoint.base.path, path), join(folder, path));
    }
    const unetFolder = isBare ? folder : join(folder, "unet");
    await writeSafetensors(join(unetFolder, UNET_WEIGHTS), entries, { format: "pt" });
    await checkpoint.extra?.(folder);
  });
}

/** In the order of the base's file, so that equal values make equal bytes. */
function unetEntries({ base, unet, dtype = "F32" }: PipelineCheckpoint): TensorEntry[] {
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
