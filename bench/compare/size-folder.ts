import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CLIP_TOKENIZER, makeModel } from "../model/make-model.js";
import { SIZE, type SizeName } from "./sizes.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The folder of a size's model, from the project's root; it is made where it is missing. Throws as `makeModel` does. */
export async function sizeFolder(name: SizeName): Promise<string> {
  const { made } = SIZE[name];
  if (made === undefined) return "demo/base";
  const folder = `bench/models/${made}`;
  if (!existsSync(`${ROOT}${folder}`)) {
    await makeModel(made, `${ROOT}${folder}`, { dtype: "F32", seed: 1n, tokenizer: CLIP_TOKENIZER });
  }
  return folder;
}
