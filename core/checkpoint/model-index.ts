import { join } from "node:path";
import * as z from "zod";
import { SpinError } from "../errors.js";
import { only, parseConfig, readJsonFile } from "../json-config.js";

export const MODEL_INDEX = "model_index.json";

/** Which classes a pipeline's components may have; anything else would be code that is not here. */
const CLASSES: ReadonlyMap<string, RegExp> = new Map([
  ["unet", /^diffusers\.UNet2DConditionModel$/],
  ["vae", /^diffusers\.AutoencoderKL$/],
  ["text_encoder", /^transformers\.CLIPTextModel(WithProjection)?$/],
  ["tokenizer", /^transformers\.CLIPTokenizer(Fast)?$/],
  ["scheduler", /^diffusers\.[A-Za-z]+Scheduler$/],
  // Carried along, but not used.
  ["safety_checker", /^(stable_diffusion|diffusers\.pipelines\.stable_diffusion)\.StableDiffusionSafetyChecker$/],
  ["feature_extractor", /^transformers\.CLIP(ImageProcessor|FeatureExtractor)$/],
  ["image_encoder", /^transformers\.CLIPVisionModelWithProjection$/],
]);

const indexSchema = z.looseObject({ _class_name: only("StableDiffusionPipeline") });
const entrySchema = z.tuple([z.string().nullable(), z.string().nullable()]);

/**
 * Reads a pipeline's `model_index.json`: its components, `[library, class]` each, without those that are null.
 * @returns class of each component by name
 * @throws SpinError "invalid" naming the key for an unknown pipeline, component or class
 */
export async function readModelIndex(folder: string): Promise<ReadonlyMap<string, string>> {
  const file = join(folder, MODEL_INDEX);
  const components = new Map<string, string>();
  for (const [name, entry] of Object.entries(parseConfig(indexSchema, await readJsonFile(file), file))) {
    // Other entries are settings, as `requires_safety_checker`.
    if (!Array.isArray(entry)) continue;
    const allowed = CLASSES.get(name);
    if (allowed === undefined)
      throw refused(file, name, `is no component known here (${[...CLASSES.keys()].join(", ")})`);
    const [library, className] = parseConfig(entrySchema, entry, `${file}: ${name}`);
    if (library === null || className === null) continue;
    if (!allowed.test(`${library}.${className}`)) {
      throw refused(file, name, `asks for ${library}.${className}, which is not supported`);
    }
    components.set(name, className);
  }
  return components;
}

function refused(file: string, key: string, problem: string): SpinError {
  return new SpinError("invalid", `${file}: ${JSON.stringify(key)} ${problem}`, {
    file,
    field: key,
    remedy: "use a StableDiffusionPipeline folder as diffusers saves it",
  });
}
