import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { toIoError } from "../checkpoint/io-errors.js";
import { exists, namesIn } from "../checkpoint/presence.js";
import { containedPath } from "../contained-path.js";
import { SpinError } from "../errors.js";
import { type Dataset, type PreferenceDataset, SPLITS, type Split } from "./dataset.js";
import { METADATA_FILE, openImageFolder, PICTURE_FILE } from "./image-folder.js";
import { IndexFolder } from "./index-folder.js";
import { type IndexProgress, openPickAPic, openPickAPicPairs, type PickAPicPart } from "./pick-a-pic.js";
import { isPromptFile, type PromptList, readPromptList } from "./prompt-list.js";

/** Where data lie and where what was found out about them is kept. */
export interface DataFolders {
  /** Data sets are named relative to it. */
  readonly dataDir: string;
  readonly indexDir: string;
}

/**
 * What the files of a part are called in Pick-a-Pic: `validation_unique` has each prompt of `validation` once, and is what its authors
 * and everybody after them evaluate on.
 */
const SHARD_PREFIXES: Readonly<Record<Split, readonly string[]>> = {
  train: ["train"],
  validation: ["validation_unique", "validation", "valid", "dev"],
  test: ["test_unique", "test"],
};

/** Data under a folder, by name. */
export class DataFolder {
  readonly #dataDir: string;
  readonly #indices: IndexFolder;

  constructor({ dataDir, indexDir }: DataFolders) {
    this.#dataDir = dataDir;
    this.#indices = new IndexFolder(indexDir);
  }

  /**
   * Opens captioned pictures: parquet files of Pick-a-Pic (winners), or a folder of pictures with captions.
   * @throws SpinError `notFound` where there is no such folder or part, and as the readers do
   */
  async dataset(name: string, split: Split, onProgress?: IndexProgress): Promise<Dataset> {
    const folder = await this.#locate(name);
    const shards = await this.#shards(name, folder, split, onProgress);
    if (shards !== undefined) return openPickAPic(shards);
    const part = await this.#partFolder(name, folder, split);
    return openImageFolder({ name, split, folder: part, indices: this.#indices, onProgress });
  }

  /** Opens preference pairs. Throws as `dataset`, `invalid` for data that hold none. */
  async preferences(name: string, split: Split, onProgress?: IndexProgress): Promise<PreferenceDataset> {
    const folder = await this.#locate(name);
    const shards = await this.#shards(name, folder, split, onProgress);
    if (shards !== undefined) return openPickAPicPairs(shards);
    throw new SpinError("invalid", `the data set "${name}" holds no pairs of pictures`, {
      field: "name",
      remedy: "name one with parquet files in Pick-a-Pic's columns",
    });
  }

  /**
   * Opens a list of prompts: a file, or a folder that holds such files and no pictures. Undefined for a name of pictures.
   * @throws SpinError `notFound` where there is no such thing, and as `readPromptList` does
   */
  async prompts(name: string): Promise<PromptList | undefined> {
    const path = await this.#locate(name);
    if (!(await stat(path)).isDirectory()) return readPromptList(name, path);
    const entries = await readdir(path);
    const ofPictures = (entry: string) =>
      entry === METADATA_FILE || entry === "data" || SPLITS.some((split) => split === entry) || isPicturesFile(entry);
    return entries.some(isPromptFile) && !entries.some(ofPictures) ? readPromptList(name, path) : undefined;
  }

  async #locate(name: string): Promise<string> {
    const path = await containedPath(this.#dataDir, name, { field: "name" });
    if (await exists(path)) return path;
    const there = (await namesIn(this.#dataDir)).filter((entry) => !entry.startsWith("."));
    const known = there.slice(0, 10).join(", ") || "nothing";
    throw new SpinError("notFound", `there is no data set "${name}" under ${this.#dataDir}`, {
      field: "name",
      remedy: `built in is emoji; in that folder is ${known}`,
    });
  }

  /** The parquet files of a part, in the folder or in its `data`; undefined where it holds none at all. */
  async #shards(
    name: string,
    root: string,
    split: Split,
    onProgress: IndexProgress | undefined,
  ): Promise<PickAPicPart | undefined> {
    if (!(await stat(root)).isDirectory()) return undefined;
    for (const folder of [root, join(root, "data")]) {
      const files = (await namesIn(folder)).filter((file) => file.endsWith(".parquet"));
      if (files.length === 0) continue;
      const shards = shardsOf(files, split);
      if (shards.length > 0) return { name, split, folder, shards, indices: this.#indices, onProgress };
      throw new SpinError(
        "notFound",
        `the data set "${name}" has no ${split} part: no parquet file is named ${split}-…`,
        {
          field: "split",
          remedy: `there are ${files.slice(0, 5).join(", ")}${files.length > 5 ? ` and ${files.length - 5} more` : ""}`,
        },
      );
    }
    return undefined;
  }

  /** The folder named after the part; for training the set's own where it is not divided. */
  async #partFolder(name: string, root: string, split: Split): Promise<string> {
    if (!(await stat(root)).isDirectory()) {
      throw new SpinError("invalid", `"${name}" is a file, expected a folder of pictures or of parquet files`, {
        field: "name",
        remedy: "a list of prompts can be evaluated on, not trained on",
      });
    }
    const entries = await readdir(root).catch((error: unknown) => {
      throw toIoError(error, root, "read");
    });
    if (entries.includes(split)) return join(root, split);
    const divided = SPLITS.filter((known) => entries.includes(known));
    if (divided.length === 0 || entries.includes(METADATA_FILE)) {
      if (split === "train") return root;
    }
    const there = divided.length === 0 ? "it is not divided, all of it is train" : `there are ${divided.join(", ")}`;
    throw new SpinError("notFound", `the data set "${name}" has no ${split} part`, { field: "split", remedy: there });
  }
}

function isPicturesFile(name: string): boolean {
  return name.endsWith(".parquet") || PICTURE_FILE.test(name);
}

/** The files of a part: of the first prefix that has any; for training also those whose names begin with no part's. */
function shardsOf(files: readonly string[], split: Split): string[] {
  const withPrefix = (prefix: string) => files.filter((file) => new RegExp(`^${prefix}[-.]`).test(file));
  const prefixes = SHARD_PREFIXES[split];
  const found = prefixes.map(withPrefix).find((some) => some.length > 0);
  if (found !== undefined || split !== "train") return found ?? [];
  const others = new Set(Object.values(SHARD_PREFIXES).flat().flatMap(withPrefix));
  return files.filter((file) => !others.has(file));
}
