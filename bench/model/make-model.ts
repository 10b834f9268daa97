import { fileURLToPath } from "node:url";
import { Progress } from "../../cli/progress.js";
import type { Manifest } from "../../core/checkpoint/manifest.js";
import { type ModelName, modelConfigs } from "./configs.js";
import { type WriteOptions, writeModel } from "./write-model.js";

/** CLIP's own vocabulary, which comes with the tests. */
export const CLIP_TOKENIZER = fileURLToPath(
  new URL("../../../test/reference/cases/tokenize/clip/tokenizer", import.meta.url),
);

export interface MakeOptions extends Omit<WriteOptions, "onProgress"> {
  /** Height and width of the latents where they are not the model's usual ones. */
  readonly latents?: number;
}

/** Writes one of the models to be measured, with progress on standard error. Throws as `writeModel` does. */
export async function makeModel(name: ModelName, folder: string, options: MakeOptions): Promise<Manifest> {
  const progress = new Progress(`writing ${name}`);
  const onProgress = (written: number, all: number) => progress.update(written, all);
  try {
    return await writeModel(folder, modelConfigs(name, options.latents), { ...options, onProgress });
  } finally {
    progress.end();
  }
}
