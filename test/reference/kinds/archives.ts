import { copyFile, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { openTorchFile } from "../../../core/checkpoint/torch/torch-file.js";
import { decodeImage } from "../../../core/data/image.js";
import { METADATA_FILE, readImageFolder } from "../../../core/data/image-folder.js";
import { IndexFolder } from "../../../core/data/index-folder.js";
import { ParquetFile } from "../../../core/data/parquet-file.js";
import { SpinError } from "../../../core/errors.js";
import { readTokenizerFiles } from "../../../core/models/clip/tokenizer-files.js";
import { withTemporaryFolder } from "../../support/temporary-folder.js";

/** Reads a file by its kind, as whatever has use for it does. */
export async function readArchive(path: string): Promise<void> {
  const name = basename(path);
  if (/\.pth?$/.test(name)) return readTensors(path);
  if (name.endsWith(".parquet")) return void (await ParquetFile.open(path));
  if (/\.(png|jpe?g|webp)$/.test(name)) return void (await decodeImage(await readFile(path), path));
  if (name.endsWith(".jsonl")) return readRows(path);
  if (name.endsWith(".txt")) return readMerges(path);
  throw new Error(`no reader for ${name}`);
}

async function readTensors(path: string): Promise<void> {
  const file = await openTorchFile(path);
  for (const name of file.tensors.keys()) await file.read(name);
}

/** A row that cannot be used is told of, not thrown: all of these have to be. */
async function readRows(path: string): Promise<void> {
  return withTemporaryFolder(async (folder) => {
    const source = basename(path) === METADATA_FILE ? dirname(path) : folder;
    if (source === folder) await copyFile(path, join(folder, METADATA_FILE));
    const { rows } = await readImageFolder({ folder: source, indices: new IndexFolder(join(folder, "indices")) });
    const problems = rows.flatMap(({ problem }) => (problem === undefined ? [] : [problem]));
    if (problems.length < rows.length) return;
    const told = problems.map(({ row, problem }) => `line ${row}: ${problem}`).join("; ");
    throw new SpinError("corrupt", `${path}: ${told}`, { file: path });
  });
}

/** Merges beside a vocabulary that has none of their tokens. */
async function readMerges(path: string): Promise<void> {
  return withTemporaryFolder(async (folder) => {
    const copy = join(folder, "merges.txt");
    await copyFile(path, copy);
    await writeFile(join(folder, "vocab.json"), JSON.stringify({ "<|startoftext|>": 0, "<|endoftext|>": 1 }));
    try {
      await readTokenizerFiles(folder);
    } catch (error) {
      if (!(error instanceof SpinError)) throw error;
      throw new SpinError(error.kind, error.message.replaceAll(copy, path), { file: path });
    }
  });
}
