import { unetParameterShapes } from "../models/parameter-shapes.js";
import { readLora } from "./lora-file.js";
import { mergedWeights } from "./lora-merge.js";
import { type ModelFolder, requireComponent } from "./model-folder.js";

/**
 * A model with a LoRA merged into its UNet, as diffusers' `load_lora_weights` and `fuse_lora(lora_scale=scale)`. The folder stays
 * as it is.
 *
 * @param path the LoRA's file, or the folder that holds it.
 * @throws SpinError as `readLora`, "notFound" where the model has no UNet
 */
export async function withLora(model: ModelFolder, path: string, scale = 1): Promise<ModelFolder> {
  const unet = requireComponent(model, "unet");
  const lora = await readLora(path, unetParameterShapes(unet.config));
  return { ...model, unet: { ...unet, weights: mergedWeights(unet.weights, lora, scale) } };
}
