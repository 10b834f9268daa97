import { stat } from "node:fs/promises";
import { join } from "node:path";
import { SpinError } from "../errors.js";
import { toIoError } from "./io-errors.js";
import { createManifest, hashFile, listModelFiles, type Manifest, type ManifestFile } from "./manifest.js";

/**
 * Manifests of folders for a process that asks again and again: a file is read once, and anew only when its size or
 * modification time has changed. Names do not matter, so a second link to a file, or a folder moved, costs nothing.
 */
export class FolderDigests {
  readonly #hashes = new Map<string, Promise<string>>();

  /** As `digestFolder`. @throws SpinError "notFound" for a missing folder, or one without weights and configurations */
  async manifest(folder: string): Promise<Manifest> {
    const paths = await listModelFiles(folder);
    if (paths.length === 0) {
      throw new SpinError("notFound", `${folder} holds no weights or configurations`, { file: folder });
    }
    const files: ManifestFile[] = [];
    for (const path of paths) files.push(await this.file(folder, path));
    return createManifest(files);
  }

  /** One file of a folder. @throws SpinError "notFound" */
  async file(folder: string, path: string): Promise<ManifestFile> {
    const { key, size } = await identify(join(folder, path));
    let hash = this.#hashes.get(key);
    if (hash === undefined) {
      hash = hashFile(folder, path).then(({ sha256 }) => sha256);
      this.#hashes.set(key, hash);
      hash.catch(() => this.#hashes.delete(key));
    }
    return { path, size, sha256: await hash };
  }

  /** Takes over the hash of a file that was computed while it was written. */
  async remember(file: string, sha256: string): Promise<void> {
    this.#hashes.set((await identify(file)).key, Promise.resolve(sha256));
  }
}

/** Which file this is and when it was last written: nanoseconds, for two writes within a millisecond. */
async function identify(file: string): Promise<{ key: string; size: number }> {
  try {
    const { dev, ino, size, mtimeNs } = await stat(file, { bigint: true });
    return { key: `${dev}:${ino}:${size}:${mtimeNs}`, size: Number(size) };
  } catch (error) {
    throw toIoError(error, file, "read");
  }
}
