import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { digestOf } from "../canonical-json.js";
import { SpinError } from "../errors.js";
import { parseConfig, readJsonFile } from "../json-config.js";
import { toIoError } from "./io-errors.js";

/** One file of a checkpoint. */
export interface ManifestFile {
  /** Relative, with `/` between segments. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** 64 hexadecimal digits over the content. */
  readonly sha256: string;
}

/** What a checkpoint consists of; its digest is the checkpoint's identity. */
export interface Manifest {
  /** `sha256:` and 64 hexadecimal digits over the canonical JSON of `files`. */
  readonly digest: string;
  /** Weights and configurations, sorted by path. */
  readonly files: readonly ManifestFile[];
}

/** Where a saved folder keeps its manifest; not part of it. */
export const MANIFEST_FILE = "manifest.json";
/** Folder for optimiser state and the like beside the weights; not part of the manifest. */
export const TRAINING_STATE_FOLDER = "training_state";

/** Deeper folders are no part of a model; a link in a circle ends here. */
const MAX_FOLDER_DEPTH = 4;

/** @returns the manifest that these files make: sorted, with its digest. */
export function createManifest(files: readonly ManifestFile[]): Manifest {
  const sorted = files
    .map(({ path, size, sha256 }) => ({ path, size, sha256 }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  return { digest: digestOf(sorted), files: sorted };
}

/**
 * Hashes a folder's weights and configurations: `.safetensors`, `.json` and `.txt` (merges) files, but for the manifest,
 * hidden files and training state. Neither times nor optimiser state enter the digest.
 * @throws SpinError "notFound" for a missing folder, or one without any such file
 */
export async function digestFolder(folder: string): Promise<Manifest> {
  const paths = await listModelFiles(folder);
  if (paths.length === 0) {
    throw new SpinError("notFound", `${folder} holds no weights or configurations`, { file: folder });
  }
  const files: ManifestFile[] = [];
  for (const path of paths) files.push(await hashFile(folder, path));
  return createManifest(files);
}

/** @returns relative paths of the files that make up a checkpoint, sorted. @throws SpinError "notFound" */
export async function listModelFiles(folder: string): Promise<string[]> {
  const paths: string[] = [];
  const visit = async (relative: string, depth: number): Promise<void> => {
    for (const name of await readdir(join(folder, relative))) {
      const path = relative === "" ? name : `${relative}/${name}`;
      if (name.startsWith(".") || path === MANIFEST_FILE || path === TRAINING_STATE_FOLDER) continue;
      // stat, not the entry: caches of downloaded models keep links to the files.
      const entry = await stat(join(folder, path));
      if (entry.isDirectory() && depth < MAX_FOLDER_DEPTH) await visit(path, depth + 1);
      else if (entry.isFile() && /\.(safetensors|json|txt)$/.test(name)) paths.push(path);
    }
  };
  try {
    await visit("", 1);
  } catch (error) {
    throw toIoError(error, folder, "read");
  }
  return paths.sort((a, b) => (a < b ? -1 : 1));
}

/** Reads a file of a folder and hashes it. @throws SpinError "notFound" */
export async function hashFile(folder: string, path: string): Promise<ManifestFile> {
  const file = join(folder, path);
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
      hash.update(chunk);
      size += chunk.length;
    }
  } catch (error) {
    throw toIoError(error, file, "read");
  }
  return { path, size, sha256: hash.digest("hex") };
}

const manifestSchema = z.object({
  digest: z.string(),
  files: z
    .array(
      z.object({
        path: z.string().refine(isPlainPath, { error: "is not a relative path inside the folder" }),
        size: z.int().nonnegative(),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .min(1),
});

/** @returns whether a path of a manifest stays inside its folder and names a file there that is not hidden. */
export function isPlainPath(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return path.split("/").every((segment) => /^[^.\\:\u0000-\u001f][^\\:\u0000-\u001f]*$/.test(segment));
}

/**
 * Checks a manifest from a file or another service: plain paths, each once, and the digest that its files make.
 * @param source what it came from, for error messages
 * @throws SpinError "invalid" for a malformed manifest, "corrupt" for one whose digest is another
 */
export function parseManifest(json: unknown, source: string): Manifest {
  const claimed = parseConfig(manifestSchema, json, source);
  const manifest = createManifest(claimed.files);
  const twice = manifest.files.find((file, i) => file.path === manifest.files[i + 1]?.path);
  if (twice !== undefined)
    throw new SpinError("invalid", `${source}: ${twice.path} is listed twice`, { file: twice.path });
  if (manifest.digest !== claimed.digest) {
    throw new SpinError("corrupt", `${source}: says the digest ${claimed.digest}, its files make ${manifest.digest}`, {
      remedy: "fetch the checkpoint again",
    });
  }
  return manifest;
}

/** Reads the manifest that a saved folder carries. @throws SpinError "notFound", "invalid", "corrupt" */
export async function readManifest(folder: string): Promise<Manifest> {
  const file = join(folder, MANIFEST_FILE);
  return parseManifest(await readJsonFile(file), file);
}

/**
 * Compares a folder with a manifest, file by file; files that are in none are not looked at.
 * @throws SpinError "corrupt" naming the first file that differs, "notFound" for a missing one
 */
export async function verifyFolder(folder: string, manifest: Manifest): Promise<void> {
  for (const expected of manifest.files) {
    const found = await hashFile(folder, expected.path);
    if (found.size === expected.size && found.sha256 === expected.sha256) continue;
    const file = join(folder, expected.path);
    const came = `${found.size} bytes with SHA-256 ${found.sha256}`;
    throw new SpinError("corrupt", `${file}: ${came}, expected ${expected.size} bytes with ${expected.sha256}`, {
      file,
      remedy: "remove the folder and fetch the checkpoint again",
    });
  }
}
