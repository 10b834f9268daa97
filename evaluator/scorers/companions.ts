import { basename, dirname, join } from "node:path";
import { isFile, isFolder } from "../../core/checkpoint/presence.js";
import { SpinError } from "../../core/errors.js";

/** Files that a scorer's published file does not bring along. */
export interface Companion {
  /** All of them, in one folder. */
  readonly files: readonly string[];
  /** What the folder may be called. */
  readonly folders: readonly string[];
  /** Where they are published. */
  readonly source: string;
}

const CLIP_FOLDERS = ["clip-vit-large-patch14", "openai/clip-vit-large-patch14"];

export const CLIP_VOCABULARY: Companion = {
  files: ["vocab.json", "merges.txt"],
  folders: CLIP_FOLDERS,
  source: "https://huggingface.co/openai/clip-vit-large-patch14",
};

export const BERT_VOCABULARY: Companion = {
  files: ["vocab.txt"],
  folders: ["bert-base-uncased", "google-bert/bert-base-uncased"],
  source: "https://huggingface.co/google-bert/bert-base-uncased",
};

export const CLIP_LARGE: Companion = {
  files: ["config.json", "model.safetensors"],
  folders: CLIP_FOLDERS,
  source: "https://huggingface.co/openai/clip-vit-large-patch14",
};

/**
 * The folder that holds what a scorer needs besides its own file: that of the file itself, a folder of the published name beside it or
 * under MODEL_DIR, or MODEL_DIR.
 *
 * @param path the scorer's file, or its folder.
 * @throws SpinError `notFound` that says which files, where they were looked for, and where they are published.
 */
export async function findCompanion(companion: Companion, path: string, modelDir: string): Promise<string> {
  const beside = (await isFolder(path)) ? path : dirname(path);
  const folders = [beside, modelDir].flatMap((base) => [base, ...companion.folders.map((name) => join(base, name))]);
  const looked = [...new Set(folders)];
  for (const folder of looked) {
    const present = await Promise.all(companion.files.map((name) => isFile(join(folder, name))));
    if (present.every(Boolean)) return folder;
  }
  const what = companion.files.join(" and ");
  throw new SpinError(
    "notFound",
    `${basename(path)} needs ${what}, which none of these folders has: ${looked.join(", ")}`,
    {
      file: path,
      remedy: `put ${what} of ${companion.source} beside it, or into a folder ${companion.folders[0]} there`,
    },
  );
}
