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
  ["text_encoder_2", /^transformers\.CLIPTextModelWithProjection$/],
  ["tokenizer", /^transformers\.CLIPTokenizer(Fast)?$/],
  ["tokenizer_2", /^transformers\.CLIPTokenizer(Fast)?$/],
  ["scheduler", /^diffusers\.[A-Za-z]+Scheduler$/],
  // Carried along, but not used.
  [
    "safety_checker",
    /^(stable_diffusion|diffusers\.pipelines\.stable_diffusion)(\.safety_checker)?\.StableDiffusionSafetyChecker$/,
  ],
  ["feature_extractor", /^transformers\.CLIP(ImageProcessor(Fast|Pil)?|FeatureExtractor)$/],
  ["image_encoder", /^transformers\.CLIPVisionModelWithProjection$/],
]);

const indexSchema = z.looseObject({
  _class_name: only("StableDiffusionPipeline", "StableDiffusionXLPipeline"),
  force_zeros_for_empty_prompt: z.boolean().nullish(),
});
const entrySchema = z.tuple([z.string().nullable(), z.string().nullable()]);

/** What a pipeline's `model_index.json` says. */
export interface ModelIndex {
  /** Class of each component by name, without those that are null. */
  readonly components: ReadonlyMap<string, string>;
  /** Settings of a StableDiffusionXLPipeline; absent for a StableDiffusionPipeline. */
  readonly xl?: XlSettings;
}

/** What makes a StableDiffusionXLPipeline differ from a StableDiffusionPipeline. */
export interface XlSettings {
  /** Whether guidance without a negative prompt leads away from zeros, not from the empty prompt. */
  readonly forceZerosForEmptyPrompt: boolean;
}

/** diffusers' defaults. */
export const XL_DEFAULTS: XlSettings = { forceZerosForEmptyPrompt: true };

/**
 * Reads a pipeline's `model_index.json`: its class, its components, `[library, class]` each, and its settings.
 * @throws SpinError "invalid" naming the key for an unknown pipeline, component or class
 */
export async function readModelIndex(folder: string): Promise<ModelIndex> {
  const file = join(folder, MODEL_INDEX);
  const index = parseConfig(indexSchema, await readJsonFile(file), file);
  const components = new Map<string, string>();
  for (const [name, entry] of Object.entries(index)) {
    // Other entries are settings, as `requires_safety_checker` and `_name_or_path`.
    if (!Array.isArray(entry)) continue;
    const [library, className] = parseConfig(entrySchema, entry, `${file}: ${name}`);
    if (library === null || className === null) continue;
    const allowed = CLASSES.get(name);
    if (allowed === undefined)
      throw refused(file, name, `is no component known here (${[...CLASSES.keys()].join(", ")})`);
    if (!allowed.test(`${library}.${className}`)) {
      throw refused(file, name, `asks for ${library}.${className}, which is not supported`);
    }
    components.set(name, className);
  }
  if (index._class_name === "StableDiffusionPipeline") return { components };
  const forceZeros = index.force_zeros_for_empty_prompt ?? XL_DEFAULTS.forceZerosForEmptyPrompt;
  return { components, xl: { forceZerosForEmptyPrompt: forceZeros } };
}

function refused(file: string, key: string, problem: string): SpinError {
  return new SpinError("invalid", `${file}: ${JSON.stringify(key)} ${problem}`, {
    file,
    field: key,
    remedy: "use a StableDiffusionPipeline or StableDiffusionXLPipeline folder as diffusers saves it",
  });
}
