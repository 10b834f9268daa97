import { stat } from "node:fs/promises";
import { join } from "node:path";
import { saveFolder } from "../core/checkpoint/atomic-save.js";
import type { FolderDigests } from "../core/checkpoint/folder-digests.js";
import { linkOrCopy } from "../core/checkpoint/link-file.js";
import { MANIFEST_FILE, type Manifest, type ManifestFile, readManifest } from "../core/checkpoint/manifest.js";
import { MODEL_INDEX } from "../core/checkpoint/model-index.js";
import { entriesIn, isFolder } from "../core/checkpoint/presence.js";
import { containedPath } from "../core/contained-path.js";
import { SpinError } from "../core/errors.js";
import { abortable } from "../core/service/deadline.js";
import type { Logger } from "../core/service/logging.js";
import type { CheckpointRef } from "../proto/gen/spin/v1/checkpoint.js";
import type { CheckpointCache } from "./checkpoint-cache.js";
import { type CheckpointFolder, checkpointFolder } from "./checkpoint-folder.js";
import type { CheckpointSource } from "./checkpoint-source.js";
import { downloadFile } from "./download.js";

/** How deep under MODEL_DIR model folders are looked for. */
const MAX_DEPTH = 3;

export interface StoreParts {
  /** Folder with models that requests name. */
  readonly modelDir: string;
  readonly cache: CheckpointCache;
  readonly digests: FolderDigests;
  /** Where unknown digests are fetched from; undefined: nowhere. */
  readonly source?: CheckpointSource;
  readonly log: Logger;
}

/** A checkpoint that stays on this machine until it is released. */
export interface CheckpointLease {
  readonly checkpoint: CheckpointFolder;
  release(): void;
}

/**
 * Finds checkpoints: a named folder, a folder here with the digest, or the trainer's, of which only those files travel that no
 * folder here has. What it returns was hashed: names and manifests are not believed.
 */
export class CheckpointStore {
  readonly #parts: StoreParts;
  readonly #fetches = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  /**
   * @param field name of the reference in the request, for errors
   * @throws SpinError `notFound` for an unknown name or digest, `precondition` where the named folder has another digest, `corrupt`,
   * `exhausted` or `unavailable` where fetching failed
   */
  async acquire(ref: CheckpointRef, field: string, signal: AbortSignal): Promise<CheckpointLease> {
    const named = ref.modelName === "" ? undefined : await this.#named(ref, field);
    if (named !== undefined) return { checkpoint: named, release: () => undefined };
    const release = this.#parts.cache.pin(ref.digest);
    try {
      return { checkpoint: await this.#byDigest(ref, field, signal), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Ends fetches under way. */
  stop(): void {
    this.#stopped.abort(new SpinError("unavailable", "the generator is shutting down"));
    this.#parts.source?.close();
  }

  /** The folder that a reference names; undefined where there is none but a digest to go by. */
  async #named(ref: CheckpointRef, field: string): Promise<CheckpointFolder | undefined> {
    const { modelDir, digests } = this.#parts;
    const folder = await containedPath(modelDir, ref.modelName, { field: `${field}.model_name` });
    if (!(await isFolder(folder))) {
      if (ref.digest !== "") return undefined;
      throw new SpinError("notFound", `there is no model "${ref.modelName}" under MODEL_DIR (${modelDir})`, {
        field: `${field}.model_name`,
        remedy: "put its folder there, or name a checkpoint by its digest",
      });
    }
    const manifest = await digests.manifest(folder);
    if (ref.digest === "" || ref.digest === manifest.digest) return checkpointFolder(folder, manifest);
    throw new SpinError(
      "precondition",
      `the model "${ref.modelName}" has the digest ${manifest.digest}, not ${ref.digest}`,
      {
        field: `${field}.digest`,
        remedy: "put the version that is meant under MODEL_DIR, or leave out one of name and digest",
      },
    );
  }

  async #byDigest({ digest }: CheckpointRef, field: string, signal: AbortSignal): Promise<CheckpointFolder> {
    const { cache, digests, source, log } = this.#parts;
    const here = (await this.#cached(digest)) ?? (await this.#amongModels(digest));
    if (here !== undefined) return here;
    if (source === undefined) {
      throw new SpinError("notFound", `no model folder here has the digest ${digest}`, {
        field: `${field}.digest`,
        remedy: "put it under MODEL_DIR, or set CHECKPOINT_ADDRESS to the trainer that wrote it",
      });
    }
    let fetch = this.#fetches.get(digest);
    if (fetch === undefined) {
      log.info({ digest, from: source.address }, "fetching a checkpoint");
      // For all who ask, and for later: it goes on when this caller gives up.
      fetch = this.#fetch(source, digest).finally(() => this.#fetches.delete(digest));
      this.#fetches.set(digest, fetch);
    }
    await abortable(fetch, signal);
    return checkpointFolder(cache.folder(digest), await digests.manifest(cache.folder(digest)));
  }

  /** The cached folder, unless its files have changed since they came. */
  async #cached(digest: string): Promise<CheckpointFolder | undefined> {
    const { cache, digests, log } = this.#parts;
    const folder = cache.folder(digest);
    if (!(await isFolder(folder))) return undefined;
    const manifest = await digests.manifest(folder).catch(() => undefined);
    if (manifest?.digest === digest) {
      await cache.touch(digest);
      return checkpointFolder(folder, manifest);
    }
    log.warn({ folder, digest, found: manifest?.digest }, "removing a cached checkpoint that has changed");
    await cache.remove(digest);
    return undefined;
  }

  /** A model folder with the digest: a volume shared with the trainer needs no transfer. Those that say otherwise are not hashed. */
  async #amongModels(digest: string): Promise<CheckpointFolder | undefined> {
    for (const folder of await modelFolders(this.#parts.modelDir)) {
      const claimed = await claimedManifest(folder);
      if (claimed !== undefined && claimed.digest !== digest) continue;
      const manifest = await this.#parts.digests.manifest(folder);
      if (manifest.digest === digest) return checkpointFolder(folder, manifest);
    }
    return undefined;
  }

  async #fetch(source: CheckpointSource, digest: string): Promise<void> {
    const { cache, digests } = this.#parts;
    const { signal } = this.#stopped;
    const { files } = await source.manifest(digest, signal);
    const write = async (temporary: string): Promise<void> => {
      // What is here first: making room may remove the folder that it was found in.
      const missing = await this.#linkFiles(files, temporary);
      await cache.reserve(
        missing.reduce((sum, { size }) => sum + size, 0),
        temporary,
      );
      for (const file of missing) {
        const target = join(temporary, file.path);
        await downloadFile(target, file, (offset) => source.read(digest, file.path, offset, signal), signal);
        await digests.remember(target, file.sha256);
      }
    };
    const verified = async (temporary: string): Promise<Manifest> => {
      const manifest = await digests.manifest(temporary);
      if (manifest.digest === digest) return manifest;
      throw new SpinError("corrupt", `the fetched checkpoint has the digest ${manifest.digest}, not ${digest}`, {
        remedy: "check the checkpoint's files at the trainer",
      });
    };
    await saveFolder(cache.folder(digest), write, verified);
  }

  /** Links the files that some folder here has. @returns the others */
  async #linkFiles(files: readonly ManifestFile[], target: string): Promise<ManifestFile[]> {
    const { cache, modelDir } = this.#parts;
    const folders = [...(await cache.folders()), ...(await modelFolders(modelDir))];
    const missing: ManifestFile[] = [];
    for (const file of files) {
      const found = await this.#find(file, folders);
      if (found === undefined) missing.push(file);
      else await linkOrCopy(found, join(target, file.path));
    }
    return missing;
  }

  /** A file here with the content: at the same path of a folder that does not say otherwise. */
  async #find(wanted: ManifestFile, folders: readonly string[]): Promise<string | undefined> {
    for (const folder of folders) {
      const file = join(folder, wanted.path);
      const size = await stat(file).then(
        (entry) => entry.size,
        () => undefined,
      );
      if (size !== wanted.size) continue;
      // Large files are not hashed for nothing.
      const claimed = (await claimedManifest(folder))?.files.find(({ path }) => path === wanted.path);
      if (claimed !== undefined && claimed.sha256 !== wanted.sha256) continue;
      if ((await this.#parts.digests.file(folder, wanted.path)).sha256 === wanted.sha256) return file;
    }
    return undefined;
  }
}

/** Folders under a root that look like models. */
async function modelFolders(root: string, depth = 1): Promise<string[]> {
  const entries = await entriesIn(root);
  if (entries.some(({ name }) => name === MODEL_INDEX || name === MANIFEST_FILE)) return [root];
  if (depth > MAX_DEPTH) return [];
  const found: string[] = [];
  for (const entry of entries) {
    const isHidden = entry.name.startsWith(".");
    if (!isHidden && (entry.isDirectory() || entry.isSymbolicLink())) {
      found.push(...(await modelFolders(join(root, entry.name), depth + 1)));
    }
  }
  return found;
}

/** What a folder says that it holds; undefined where it says nothing that can be read. */
function claimedManifest(folder: string): Promise<Manifest | undefined> {
  return readManifest(folder).catch(() => undefined);
}
