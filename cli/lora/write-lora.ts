import { readLora, writeLora } from "../../core/checkpoint/lora-file.js";
import { withLora } from "../../core/checkpoint/lora-model.js";
import { openModelFolder, requireComponent } from "../../core/checkpoint/model-folder.js";
import { savePipelineCheckpoint } from "../../core/checkpoint/pipeline-checkpoint.js";
import { unetParameterShapes } from "../../core/models/parameter-shapes.js";
import type { ConvertSettings, MergeSettings } from "./settings.js";

/** Writes a model with a LoRA merged into its UNet. @returns the new folder's digest */
export async function writeMerged({ model, lora, loraScale, out }: MergeSettings): Promise<string> {
  const base = await openModelFolder(model);
  const unet = requireComponent(await withLora(base, lora, loraScale), "unet").weights;
  const { digest } = await savePipelineCheckpoint(out, { base, unet, dtype: "source" });
  return digest;
}

/** Writes a LoRA under other names. @returns the number of its layers */
export async function convertLora({ model, lora, keys, out }: ConvertSettings): Promise<number> {
  const shapes = unetParameterShapes(requireComponent(await openModelFolder(model), "unet").config);
  const adapter = await readLora(lora, shapes);
  await writeLora(out, adapter, shapes, { keys });
  return adapter.layers.size;
}
