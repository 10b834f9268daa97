import { dirname, join } from "node:path";
import { readJsonFile } from "../json-config.js";
import type { ClipConfig } from "../models/clip/config.js";
import { parseOpenClipConfig, VIT_H_14 } from "../models/clip/open-clip-config.js";
import { clipParameterShapes } from "../models/parameter-shapes.js";
import { renameOpenClip } from "./open-clip-keys.js";
import { exists } from "./presence.js";
import { openSafetensors, type SafetensorsFile } from "./safetensors.js";
import { openTorchFile } from "./torch/torch-file.js";
import { checkTensors } from "./weights.js";

/** Beside the weights: what they are of, where they are not ViT-H/14. */
export const OPEN_CLIP_CONFIG = "open_clip_config.json";

/**
 * Opens an open_clip model, a state dict of torch.save or a safetensors file, under transformers' names. Its architecture is what an
 * `open_clip_config.json` beside it says, else ViT-H/14, which HPS v2 is.
 *
 * @throws SpinError as `openTorchFile`; "corrupt" naming the first tensor that the architecture does not have, or has in another shape.
 */
export async function openOpenClip(path: string): Promise<{ config: ClipConfig; weights: SafetensorsFile }> {
  const file = await openWeightsFile(path);
  const configFile = join(dirname(path), OPEN_CLIP_CONFIG);
  const isDescribed = await exists(configFile);
  const config = isDescribed ? parseOpenClipConfig(await readJsonFile(configFile), configFile) : VIT_H_14;
  const weights = renameOpenClip(file);
  checkTensors(weights, clipParameterShapes(config), isDescribed ? configFile : "open_clip's ViT-H-14");
  return { config, weights };
}

/** A file of weights by its ending: safetensors, else torch.save's. */
export async function openWeightsFile(path: string): Promise<SafetensorsFile> {
  return path.endsWith(".safetensors") ? openSafetensors(path) : openTorchFile(path);
}
