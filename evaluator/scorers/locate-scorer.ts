import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { statOf } from "../../core/checkpoint/presence.js";
import { containedPath } from "../../core/contained-path.js";
import { SpinError } from "../../core/errors.js";
import { formOf } from "./forms.js";

/** Where a scorer's weights lie. */
export interface ScorerLocation {
  /** What it is called, which also says what form it has (see `formOf`). */
  readonly name: string;
  /** A folder or a file, absolute. */
  readonly path: string;
  /** Where its companions may be, absolute. */
  readonly modelDir: string;
}

/**
 * Finds a scorer under MODEL_DIR: a folder of CLIP's, or a file of weights, which may be the only one of its folder.
 *
 * @param path relative to MODEL_DIR; a scorer without one lies under its name.
 * @param field of the request, for errors.
 * @throws SpinError `notFound` where there is none, `invalid` for a path that leads out of MODEL_DIR, or for a file where a folder is
 * needed.
 */
export async function locateScorer(
  modelDir: string,
  name: string,
  path: string | undefined,
  field: string,
): Promise<ScorerLocation> {
  const full = await containedPath(modelDir, path ?? name, { field });
  const entry = await statOf(full);
  if (entry === undefined) {
    throw new SpinError("notFound", `there is no scorer "${name}": ${full} does not exist`, {
      field,
      file: full,
      remedy: "name a folder or file under the evaluator's MODEL_DIR",
    });
  }
  const needsFolder = formOf(name).kind === "clip";
  if (needsFolder && !entry.isDirectory()) {
    throw new SpinError("invalid", `the scorer "${name}" is a CLIPModel, and ${full} is no folder`, {
      field,
      file: full,
      remedy: "name a folder with config.json, model.safetensors and a tokenizer",
    });
  }
  return { name, path: !needsFolder && entry.isDirectory() ? await onlyFileOf(full, name, field) : full, modelDir };
}

async function onlyFileOf(folder: string, name: string, field: string): Promise<string> {
  const files = (await readdir(folder)).filter((file) => /\.(pt|pth)$/.test(file)).sort();
  const [file, another] = files;
  if (file !== undefined && another === undefined) return join(folder, file);
  const found = file === undefined ? "no file of weights (.pt, .pth)" : `several: ${files.join(", ")}`;
  throw new SpinError(file === undefined ? "notFound" : "invalid", `the scorer "${name}": ${folder} has ${found}`, {
    field,
    file: folder,
    remedy: "name the file itself",
  });
}
